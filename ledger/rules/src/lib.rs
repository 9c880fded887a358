//! The rules that correctness rests on, by name, so that a simulation can break each one on purpose and must notice.
//!
//! Code that keeps a rule asks [`keeps`] beside the check itself. That is a constant `true`, and costs nothing, unless the
//! feature `breakable` is on, which only the simulation (`stockledger-sim`) does: then one rule at a time can be broken on
//! the thread that calls [`broken`]. A rule that can be broken without being noticed is one that nothing tests.
//!
//! The rules themselves stand in `docs/protocol.md`.

macro_rules! rules {
    ($($(#[doc = $doc:literal])+ $name:ident = $word:literal,)+) => {
        /// A rule of the log protocol, or of what is built on it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Rule {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Rule {
            /// Every rule.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// The name of a rule as it is written on a command line.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $word,)+
                }
            }
        }
    };
}

rules! {
    /// Admission: a record of a term below the current one does not count.
    LowerTermIsVoid = "lower-term-is-void",
    /// Admission: a claim counts only if its term is above the current one.
    ClaimRaisesTerm = "claim-raises-term",
    /// Admission: a decision continues the chain of hashes.
    PrevHash = "prev-hash",
    /// Admission: a second copy of a decision does not count.
    SecondCopyIsVoid = "second-copy-is-void",
    /// Admission: a decision behind a lost one does not count.
    NothingAfterALostRecord = "nothing-after-a-lost-record",
    /// Admission: what cannot be read stops the reader.
    UnreadableStops = "unreadable-stops",
    /// Writer: a claim is our own only if its nonce comes back.
    ClaimKnownByNonce = "claim-known-by-nonce",
    /// Writer: the log is read up to our own claim before anything is decided.
    ReadUpToOwnClaim = "read-up-to-own-claim",
    /// Writer: nobody is answered from what was read before our own claim is durable.
    AnswersAreDurable = "answers-are-durable",
    /// Writer: nobody is answered before the record is acknowledged.
    AcknowledgedBeforeAnswer = "acknowledged-before-answer",
    /// Writer: an acknowledgement confirms only the record that stands where it was expected.
    ConfirmedInOrder = "confirmed-in-order",
    /// Writer: after an unknown outcome the term is over.
    NewTermAfterUnknown = "new-term-after-unknown",
    /// Writer: a higher claim ends our term.
    StepDown = "step-down",
    /// Writer: one record alone while the first of a term is not confirmed.
    FirstRecordAlone = "first-record-alone",
    /// Writer: no more records in flight than the window.
    Window = "window",
    /// Writer: "not applied" is said only of what can no longer be in the log.
    NotAppliedIsCertain = "not-applied-is-certain",
    /// Writer: a key that was decided is answered, not decided again.
    KeysAreRemembered = "keys-are-remembered",
    /// Writer: a refusal is remembered like any other decision.
    RefusalsAreRemembered = "refusals-are-remembered",
    /// Writer: a second command with the key of one that is under way waits for it.
    OpenKeysWait = "open-keys-wait",
    /// Writer: the time of a decision is never before that of the last one.
    TimeNeverFalls = "time-never-falls",
    /// Snapshot: a torn one is dropped.
    TornSnapshotIsDropped = "torn-snapshot-is-dropped",
    /// Snapshot: one that does not fit the log is refused.
    SnapshotFitsTheLog = "snapshot-fits-the-log",
    /// Projection: the checkpoint moves in the transaction of its rows.
    CheckpointWithRows = "checkpoint-with-rows",
    /// Projection: a checkpoint moves only from where it was expected.
    CheckpointComparedFirst = "checkpoint-compared-first",
    /// Projection: what is read is shown only once it is committed.
    CommittedBeforeShown = "committed-before-shown",
    /// Projection: a checkpoint that the log does not have stops the projector.
    CheckpointFitsTheLog = "checkpoint-fits-the-log",
    /// Projection: queries are never switched to a version that is behind.
    SwitchNeverGoesBack = "switch-never-goes-back",
}

impl std::fmt::Display for Rule {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.name())
    }
}

/// Whether a rule is kept: always, but in a simulation that breaks it.
#[cfg(not(feature = "breakable"))]
#[must_use]
pub const fn keeps(_: Rule) -> bool {
    true
}

#[cfg(feature = "breakable")]
pub use breakable::{Broken, broken, keeping_all, keeps};

#[cfg(feature = "breakable")]
mod breakable {
    use std::cell::Cell;

    use super::Rule;

    thread_local! {
        static BROKEN: Cell<Option<Rule>> = const { Cell::new(None) };
    }

    /// Whether a rule is kept: always, but in a simulation that breaks it.
    #[must_use]
    pub fn keeps(rule: Rule) -> bool {
        BROKEN.get() != Some(rule)
    }

    /// Breaks a rule, or none, on this thread for as long as what is returned is held.
    #[must_use]
    pub fn broken(rule: Option<Rule>) -> Broken {
        BROKEN.set(rule);
        Broken(())
    }

    /// Does something with all rules kept, as whoever judges must.
    pub fn keeping_all<T>(judge: impl FnOnce() -> T) -> T {
        let broken = BROKEN.replace(None);
        let judged = judge();
        BROKEN.set(broken);
        judged
    }

    /// A rule is broken on this thread.
    #[derive(Debug)]
    pub struct Broken(());

    impl Drop for Broken {
        fn drop(&mut self) {
            BROKEN.set(None);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Rule, keeps};

    #[test]
    fn every_rule_is_kept_unless_it_is_broken() {
        assert!(Rule::ALL.iter().all(|rule| keeps(*rule)));
    }

    #[cfg(feature = "breakable")]
    #[test]
    fn one_rule_is_broken_at_a_time_and_kept_again_afterwards() {
        let broken = super::broken(Some(Rule::PrevHash));
        assert!(!keeps(Rule::PrevHash) && keeps(Rule::Window));
        drop(broken);
        assert!(keeps(Rule::PrevHash));
    }
}
