//! Coverage marks: situations that a sample of runs must have come across, or the sample proves nothing about them.

macro_rules! marks {
    ($($(#[doc = $doc:literal])+ $name:ident = $word:literal,)+) => {
        /// A situation that was come across.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Mark {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Mark {
            /// Every mark.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// The mark as it is printed.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $word,)+
                }
            }
        }
    };
}

marks! {
    /// An append landed and its acknowledgement was lost.
    AcknowledgementLost = "acknowledgement-lost",
    /// An append never landed.
    AppendLost = "append-lost",
    /// One record in the middle of an append was lost.
    RecordLostInBatch = "record-lost-in-batch",
    /// A record landed long after its producer was told that nothing is known.
    LandedLate = "landed-late",
    /// A record landed twice.
    LandedTwice = "landed-twice",
    /// An append was acknowledged without offsets.
    OffsetsWithheld = "offsets-withheld",
    /// A decision of a superseded writer was void.
    VoidSuperseded = "void-superseded-writer",
    /// A second copy of a decision was void.
    VoidSecondCopy = "void-second-copy",
    /// A decision behind a lost one was void.
    VoidAfterLost = "void-after-lost-record",
    /// A claim that came too late was void.
    VoidClaim = "void-late-claim",
    /// A process was killed while commands were under way.
    CrashUnderWay = "crash-with-commands-under-way",
    /// A process that was paused went on.
    ZombieWoke = "zombie-woke",
    /// A record of a process landed after another one had claimed its partition.
    ZombieWrote = "zombie-wrote",
    /// A process was started beside a paused one of the same node.
    TwoOfOneNode = "two-processes-of-one-node",
    /// A key was answered by another process than the one that decided it.
    ReplayedElsewhere = "replayed-by-another-process",
    /// A refused order was refused again although there was enough by then.
    RefusedAfterRestock = "refused-again-after-restock",
    /// A key was refused because something else was sent under it.
    KeyReused = "key-reused",
    /// A command whose outcome was not known turned out to be in the log.
    UnknownWasApplied = "unknown-was-applied",
    /// A command whose outcome was not known turned out not to be in the log.
    UnknownWasNot = "unknown-was-not",
    /// A command was refused at the door and nothing was written.
    NotApplied = "not-applied",
    /// A writer refused commands because the log was silent.
    Stalled = "stalled",
    /// A writer stepped down for another.
    SteppedDown = "stepped-down",
    /// A writer began from a snapshot.
    SnapshotRead = "snapshot-read",
    /// A snapshot was torn.
    SnapshotTorn = "snapshot-torn",
    /// A snapshot could not be written.
    SnapshotNotWritten = "snapshot-not-written",
    /// A process refused to start because the log did not fit.
    StartRefused = "start-refused",
    /// A writer stopped because its clock was wrong.
    ClockRefused = "clock-refused",
    /// The log was away.
    LogAway = "log-away",
    /// The database was away.
    StoreAway = "store-away",
    /// A transaction was done and the reply to its commit was lost.
    CommitReplyLost = "commit-reply-lost",
    /// A transaction was done long after its caller had given it up.
    CommittedLate = "committed-late",
    /// A transaction failed and was tried again.
    TransactionFailed = "transaction-failed",
    /// A projector lost the race for a checkpoint.
    CheckpointRaceLost = "checkpoint-race-lost",
    /// A rebuild came to its end beside live projectors.
    Rebuilt = "rebuilt",
    /// A rebuild went on with what a killed one had left.
    RebuildResumed = "rebuild-resumed",
    /// Queries were switched back.
    SwitchedBack = "switched-back",
    /// A reader stopped at a record that was changed.
    StoppedAtChangedRecord = "stopped-at-changed-record",
    /// A reader stopped at a record of a newer format.
    StoppedAtNewerFormat = "stopped-at-newer-format",
    /// A reader stopped because the chain of hashes is broken behind a record that was replaced.
    StoppedAtBrokenChain = "stopped-at-broken-chain",
    /// A projector stopped because the log was shorter than its checkpoint, or another one.
    StoppedAtShorterLog = "stopped-at-shorter-log",
    /// Records that were visible but not acknowledged were gone after a change of the leader.
    VisibleTailLost = "visible-tail-lost",
}
