//! Clock, chance and files of one node.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use stockledger_schemas::{Nonce, Timestamp};
use stockledger_writer::Environment;

use crate::faults::Kind;
use crate::gate::Gate;
use crate::mark::Mark;
use crate::world::World;

/// When every run begins, in milliseconds since 1970.
pub const BEGAN_MS: i64 = 1_767_225_600_000;

/// What of a node outlives its processes.
#[derive(Debug, Default)]
pub struct Machine {
    inner: Mutex<Disk>,
}

#[derive(Debug, Default)]
struct Disk {
    files: BTreeMap<PathBuf, Vec<u8>>,
    /// By how much the clock is wrong.
    clock_off_ms: i64,
}

impl Machine {
    fn lock(&self) -> MutexGuard<'_, Disk> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets how wrong the clock is.
    pub fn set_clock_off_ms(&self, off_ms: i64) {
        self.lock().clock_off_ms = off_ms;
    }

    /// How wrong the clock is.
    #[must_use]
    pub fn clock_off_ms(&self) -> i64 {
        self.lock().clock_off_ms
    }

    /// Loses all files.
    pub fn wipe(&self) {
        self.lock().files.clear();
    }
}

/// What one process takes from its node.
pub struct SimEnvironment {
    world: World,
    machine: Arc<Machine>,
    gate: Arc<Gate>,
}

impl SimEnvironment {
    /// The environment of a process on a machine.
    #[must_use]
    pub const fn new(world: World, machine: Arc<Machine>, gate: Arc<Gate>) -> Self {
        Self { world, machine, gate }
    }
}

impl Environment for SimEnvironment {
    fn now(&self) -> Timestamp {
        let elapsed = i64::try_from(self.world.elapsed().as_micros()).unwrap_or(i64::MAX);
        let micros = (BEGAN_MS + self.machine.clock_off_ms()) * 1_000 + elapsed;
        Timestamp::from_micros(micros).unwrap_or(Timestamp::MAX)
    }

    fn nonce(&self) -> Nonce {
        Nonce(self.world.lock().rng.u128(..).to_be_bytes())
    }

    fn read_file(&self, path: &Path) -> io::Result<Vec<u8>> {
        let found = self.machine.lock().files.get(path).cloned();
        if found.is_some() {
            self.world.mark(Mark::SnapshotRead);
        }
        found.ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn replace_file(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        if self.gate.is_dead() || self.gate.is_paused() {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let mut bytes = bytes.to_vec();
        if self.world.strikes(Kind::Snapshots) {
            match self.world.below(3) {
                0 => {
                    self.world.mark(Mark::SnapshotNotWritten);
                    return Err(io::ErrorKind::StorageFull.into());
                }
                1 => bytes.truncate(self.world.below(bytes.len())),
                _ => {
                    let (at, bit) = (self.world.below(bytes.len()), self.world.below(8));
                    bytes[at] ^= 1 << bit;
                }
            }
            self.world.mark(Mark::SnapshotTorn);
        }
        self.machine.lock().files.insert(path.to_path_buf(), bytes);
        Ok(())
    }
}
