//! Everything that processes share: chance, faults, the log, the story of the run, and what was come across.

use std::collections::BTreeSet;
use std::fmt;
use std::hash::Hasher;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use fastrand::Rng;
use stockledger_schemas::PartitionId;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::faults::{Faults, Kind};
use crate::mark::Mark;
use crate::topic::Topic;

/// The world of one run. Clones are the same world.
#[derive(Clone)]
pub struct World(Arc<Shared>);

struct Shared {
    inner: Mutex<Inner>,
    began: Instant,
    /// Bumped when something is wrong, so that the run ends.
    failed: watch::Sender<bool>,
}

/// What is behind the lock; nobody holds it across an await.
pub struct Inner {
    /// Where all chance comes from.
    pub rng: Rng,
    /// What may go wrong.
    pub faults: Faults,
    /// The partitions of the log.
    pub topic: Topic,
    /// Whether the log is away.
    pub log_is_away: bool,
    /// Whether the database is away.
    pub store_is_away: bool,
    marks: BTreeSet<Mark>,
    violation: Option<String>,
    story: Story,
}

/// What a run was, as text if somebody wants to read it, and as a digest in any case.
struct Story {
    digest: std::hash::DefaultHasher,
    lines: Option<Vec<String>>,
}

struct Digesting<'a>(&'a mut std::hash::DefaultHasher);

impl fmt::Write for Digesting<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.write(text.as_bytes());
        Ok(())
    }
}

impl World {
    /// A world before anything has happened, without faults.
    #[must_use]
    pub fn new(rng: Rng, partitions: u16, is_told: bool) -> Self {
        let story = Story { digest: std::hash::DefaultHasher::new(), lines: is_told.then(Vec::new) };
        let inner = Inner {
            rng,
            faults: Faults::none(),
            topic: Topic::new(partitions),
            log_is_away: false,
            store_is_away: false,
            marks: BTreeSet::new(),
            violation: None,
            story,
        };
        let failed = watch::Sender::new(false);
        Self(Arc::new(Shared { inner: Mutex::new(inner), began: Instant::now(), failed }))
    }

    /// What is behind the lock.
    pub fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The time since the run began.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.0.began.elapsed()
    }

    /// Whether an occasion for this kind of fault is taken.
    #[must_use]
    pub fn strikes(&self, kind: Kind) -> bool {
        let mut inner = self.lock();
        let chance = inner.faults.chance(kind);
        chance > 0.0 && inner.rng.f64() < chance
    }

    /// A whole number below `end`.
    #[must_use]
    pub fn below(&self, end: usize) -> usize {
        self.lock().rng.usize(..end.max(1))
    }

    /// Whether a coin of this chance falls on its side.
    #[must_use]
    pub fn chance(&self, chance: f64) -> bool {
        self.lock().rng.f64() < chance
    }

    /// Notes that a situation was come across.
    pub fn mark(&self, mark: Mark) {
        self.lock().marks.insert(mark);
    }

    /// The situations that were come across.
    #[must_use]
    pub fn marks(&self) -> BTreeSet<Mark> {
        self.lock().marks.clone()
    }

    /// Adds to the story.
    pub fn tell(&self, what: fmt::Arguments<'_>) {
        let at = self.elapsed();
        self.lock().tell(at, what);
    }

    /// Notes what must never happen; the first one counts, and ends the run.
    pub fn fail(&self, wrong: impl Into<String>) {
        let wrong = wrong.into();
        self.tell(format_args!("WRONG: {wrong}"));
        self.lock().violation.get_or_insert(wrong);
        self.0.failed.send_replace(true);
    }

    /// What is wrong, if anything is.
    #[must_use]
    pub fn violation(&self) -> Option<String> {
        self.lock().violation.clone()
    }

    /// Resolves when something is wrong.
    pub async fn failed(&self) {
        let mut failed = self.0.failed.subscribe();
        let _ = failed.wait_for(|failed| *failed).await;
    }

    /// The digest of the story so far: equal runs have equal ones.
    #[must_use]
    pub fn digest(&self) -> u64 {
        self.lock().story.digest.finish()
    }

    /// The story, if it was told.
    #[must_use]
    pub fn story(&self) -> Vec<String> {
        self.lock().story.lines.clone().unwrap_or_default()
    }

    /// Waits as long as a message is under way.
    pub async fn travel(&self) {
        let time = {
            let mut inner = self.lock();
            let slow = inner.faults.chance(Kind::Slow);
            let slowly = slow > 0.0 && inner.rng.f64() < slow / 10.0;
            match inner.rng.u32(..20) {
                _ if slowly => Duration::from_millis(inner.rng.u64(100..20_000)),
                0..=11 => Duration::ZERO,
                12..=18 => Duration::from_millis(inner.rng.u64(1..5)),
                _ => Duration::from_millis(inner.rng.u64(5..60)),
            }
        };
        if !time.is_zero() {
            tokio::time::sleep(time).await;
        }
    }

    /// Waits for some time up to this many milliseconds.
    pub async fn a_while(&self, millis_max: u64) {
        let millis = self.lock().rng.u64(..millis_max.max(1));
        tokio::time::sleep(Duration::from_millis(millis)).await;
    }
}

impl Inner {
    fn tell(&mut self, at: Duration, what: fmt::Arguments<'_>) {
        use fmt::Write as _;
        let millis = at.as_millis();
        let _ = write!(Digesting(&mut self.story.digest), "{millis} {what}");
        if let Some(lines) = &mut self.story.lines {
            lines.push(format!("{:>9.3} {what}", at.as_secs_f64()));
        }
    }
}

/// All partitions of a ledger.
pub fn partitions(count: u16) -> impl Iterator<Item = PartitionId> {
    (0..count).map(PartitionId)
}
