//! What may go wrong in one run, and how often. Every run has another mix, and some have nearly none: faults that are
//! always there hide what only their absence lets happen.

use fastrand::Rng;

macro_rules! kinds {
    ($($(#[doc = $doc:literal])+ $name:ident = $word:literal,)+) => {
        /// One kind of fault, which can be left out to see whether a failure needs it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Kind {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Kind {
            /// Every kind.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// The kind as it is printed.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $word,)+
                }
            }
        }
    };
}

kinds! {
    /// Appends are lost, whole or in part.
    Loss = "loss",
    /// Appends land, and nobody hears of it.
    Silence = "silence",
    /// Appends land late.
    Late = "late",
    /// Records land twice.
    Twice = "twice",
    /// Acknowledgements carry no offsets.
    NoOffsets = "no-offsets",
    /// Some messages take seconds.
    Slow = "slow",
    /// Reading the log fails now and then.
    ReadErrors = "read-errors",
    /// The whole log is away for a while.
    LogAway = "log-away",
    /// Requests and replies of clients are lost.
    Network = "network",
    /// Clients send a command more than once, at once and late.
    Repeats = "repeats",
    /// Processes are killed.
    Crashes = "crashes",
    /// Processes stand still and wake up.
    Pauses = "pauses",
    /// Clocks are wrong.
    Clocks = "clocks",
    /// Snapshots are torn, or cannot be written.
    Snapshots = "snapshots",
    /// Transactions fail, or their replies are lost.
    Transactions = "transactions",
    /// The database is away for a while.
    StoreAway = "store-away",
    /// Read tables are rebuilt and switched.
    Rebuilds = "rebuilds",
    /// A stored record is changed.
    BitFlip = "bit-flip",
    /// A stored record is replaced by another one that is well formed.
    Tampering = "tampering",
    /// A newer program writes a record that this one cannot read.
    NewerFormat = "newer-format",
    /// Acknowledged records are gone after an unclean election.
    Truncation = "truncation",
    /// Records that were seen but not acknowledged are gone after a change of the leader.
    TailLoss = "tail-loss",
}

/// What the protocol can only notice, not survive.
const HARMS_THE_LOG: [Kind; 5] =
    [Kind::BitFlip, Kind::Tampering, Kind::NewerFormat, Kind::Truncation, Kind::TailLoss];

/// How often each kind of fault happens in one run: the chance of each occasion.
#[derive(Debug, Clone)]
pub struct Faults {
    chances: Vec<f64>,
    has_ended: bool,
}

impl Faults {
    /// A mix for one run, without what is left out.
    pub fn choose(rng: &mut Rng, without: &[Kind]) -> Self {
        let is_calm = rng.f64() < 0.05;
        let mut faults = Self { chances: vec![0.0; Kind::ALL.len()], has_ended: false };
        for kind in Kind::ALL {
            let (is_on, chance) = match kind {
                // What the protocol does not promise to survive, only to notice: alone, and seldom.
                kind if HARMS_THE_LOG.contains(kind) => (0.05, 1.0),
                _ => (0.5, 0.3),
            };
            let on = rng.f64() < is_on;
            let chance = chance * rng.f64().powi(2);
            if on && !is_calm && !without.contains(kind) {
                faults.chances[*kind as usize] = chance;
            }
        }
        faults
    }

    /// No faults at all.
    #[must_use]
    pub fn none() -> Self {
        Self { chances: vec![0.0; Kind::ALL.len()], has_ended: false }
    }

    /// A kind happens often.
    pub fn force(&mut self, kind: Kind) {
        self.chances[kind as usize] = self.chances[kind as usize].max(0.2);
    }

    /// From here on nothing new goes wrong; what was possible is still known.
    pub fn end(&mut self) {
        self.has_ended = true;
    }

    /// The chance of a kind.
    #[must_use]
    pub fn chance(&self, kind: Kind) -> f64 {
        if self.has_ended { 0.0 } else { self.chances[kind as usize] }
    }

    /// Whether a kind can happen, or could.
    #[must_use]
    pub fn has(&self, kind: Kind) -> bool {
        self.chances[kind as usize] > 0.0
    }

    /// The kinds that can happen.
    #[must_use]
    pub fn possible(&self) -> Vec<Kind> {
        Kind::ALL.iter().copied().filter(|kind| self.has(*kind)).collect()
    }

    /// Whether something may happen to the log that the protocol can only notice, not survive.
    #[must_use]
    pub fn harms_the_log(&self) -> bool {
        HARMS_THE_LOG.iter().any(|kind| self.has(*kind))
    }
}
