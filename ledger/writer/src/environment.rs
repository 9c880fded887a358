//! What the writer takes from outside the log: the time, random bytes, and files for its snapshots. Handed in, so that a
//! test or a simulation decides all of it.

use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::sync::LazyLock;
use std::time::{SystemTime, UNIX_EPOCH};

use stockledger_schemas::{Nonce, Timestamp};
use uuid::Uuid;

/// Time, randomness and files.
pub trait Environment: Send + Sync + 'static {
    /// The time now, by this node's clock.
    fn now(&self) -> Timestamp;

    /// 16 bytes that nobody has ever used before.
    fn nonce(&self) -> Nonce;

    /// What a file holds.
    ///
    /// # Errors
    /// Those of the file system; one that is not there is an error too.
    fn read_file(&self, path: &Path) -> io::Result<Vec<u8>> {
        fs::read(path)
    }

    /// Puts a file in the place of the one that is there, if there is one, as a whole: written beside it, made durable, and
    /// only then moved. Directories that are missing are made.
    ///
    /// # Errors
    /// Those of the file system; the old file is then still there.
    fn replace_file(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let mut beside = path.as_os_str().to_owned();
        beside.push(".new");
        if let Some(directory) = path.parent() {
            fs::create_dir_all(directory)?;
        }
        fs::write(&beside, bytes)?;
        File::open(&beside)?.sync_all()?;
        fs::rename(&beside, path)?;
        path.parent().map_or(Ok(()), |directory| File::open(directory)?.sync_all())
    }
}

/// By how many microseconds the clock is to be wrong, for tests of what a wrong clock does (docs/chaos.md): the variable
/// `STOCKLEDGER_CLOCK_OFFSET_MS`.
static CLOCK_OFFSET_MICROS: LazyLock<i64> = LazyLock::new(|| {
    let text = std::env::var("STOCKLEDGER_CLOCK_OFFSET_MS").ok();
    let Some(milliseconds) = text.and_then(|text| text.parse::<i64>().ok()) else { return 0 };
    tracing::warn!(milliseconds, "the clock is wrong on purpose");
    milliseconds.saturating_mul(1_000)
});

/// The machine's clock and its random numbers.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemEnvironment;

impl Environment for SystemEnvironment {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place where the program reads the clock for the log"
    )]
    fn now(&self) -> Timestamp {
        let micros = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_micros());
        i64::try_from(micros)
            .ok()
            .map(|micros| micros.saturating_add(*CLOCK_OFFSET_MICROS))
            .and_then(|micros| Timestamp::from_micros(micros).ok())
            .unwrap_or(Timestamp::MAX)
    }

    fn nonce(&self) -> Nonce {
        Nonce(Uuid::new_v4().into_bytes())
    }
}
