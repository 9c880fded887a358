//! The first record of every partition, written once for the life of a ledger.

use stockledger_chain::{Halt, State};
use stockledger_log::{Delivery, Log};
use stockledger_schemas::limits::WINDOW_DEFAULT;
use stockledger_schemas::{Genesis, LedgerId, PartitionId, Record, codec, envelope};

use crate::entry;
use crate::environment::Environment;

/// Why a log is not a ledger, or could not be made one.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The log does not answer.
    #[error("reading the genesis of partition {partition}")]
    Log {
        /// Which partition.
        partition: PartitionId,
        /// What went wrong.
        #[source]
        source: stockledger_log::Error,
    },
    /// The first record is not ours.
    #[error(transparent)]
    Halt(#[from] Halt),
    /// The log has no records yet.
    #[error("partition {0} is empty: the ledger was never initialised, or the partition lost its records")]
    Empty(PartitionId),
    /// Something was deleted from the beginning.
    #[error(
        "partition {partition} begins at offset {begin}: history was deleted, and a ledger needs all of it"
    )]
    Deleted {
        /// Which partition.
        partition: PartitionId,
        /// The first offset left.
        begin: u64,
    },
    /// Partitions of different ledgers.
    #[error("partition {partition} belongs to ledger {found}, partition 0 to ledger {expected}")]
    Mixed {
        /// Which partition.
        partition: PartitionId,
        /// What partition 0 says.
        expected: LedgerId,
        /// What this one says.
        found: LedgerId,
    },
    /// The last record is of a newer program.
    #[error("the last record of partition {partition}, at offset {offset}, cannot be read")]
    Newer {
        /// Which partition.
        partition: PartitionId,
        /// Where the record stands.
        offset: u64,
        /// What is newer about it.
        #[source]
        source: envelope::Error,
    },
    /// The log was given more or fewer partitions since.
    #[error(
        "the ledger was made with {expected} partitions, the log has {found}: sites would be looked for in the wrong one"
    )]
    PartitionCount {
        /// What genesis says.
        expected: u16,
        /// What the log has.
        found: u16,
    },
    /// The record was not appended.
    #[error("writing the genesis of partition {partition}: its outcome is not known; run it again")]
    Append {
        /// Which partition.
        partition: PartitionId,
        /// What went wrong, if the log said.
        #[source]
        source: Option<stockledger_log::Error>,
    },
    /// The record could not be encoded.
    #[error("encoding the genesis")]
    Encode(#[from] codec::Error),
}

impl Error {
    /// Whether the log did not answer, as opposed to holding the wrong thing: trying again may help.
    #[must_use]
    pub const fn is_passing(&self) -> bool {
        match self {
            Self::Log { source, .. } => matches!(source, stockledger_log::Error::Unavailable { .. }),
            Self::Append { .. } => true,
            _ => false,
        }
    }
}

/// Which ledger a log holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    /// The ledger.
    pub ledger_id: LedgerId,
    /// How many partitions it has, for ever.
    pub partitions: u16,
}

/// Makes an empty log a ledger, or completes one whose making was interrupted; an existing ledger is only checked.
///
/// # Errors
/// Any variant of [`Error`].
pub async fn initialise(log: &dyn Log, environment: &dyn Environment) -> Result<Identity, Error> {
    let mut ledger_id = None;
    let (mut begun, mut empty) = (Vec::new(), None);
    for partition in partitions(log) {
        match first_record(log, partition).await? {
            Some(state) if state.partitions != log.partitions() => {
                return Err(Error::PartitionCount { expected: state.partitions, found: log.partitions() });
            }
            Some(state) => {
                ledger_id.get_or_insert(state.ledger_id);
                begun.push(partition);
            }
            None => empty = empty.or(Some(partition)),
        }
    }
    // Nobody writes before every partition has its genesis, so an empty one beside one in use has lost its records.
    if let Some(empty) = empty {
        for partition in begun {
            if is_in_use(log, partition).await? {
                return Err(Error::Empty(empty));
            }
        }
    }
    let mut ledger_id = ledger_id.unwrap_or_else(|| LedgerId(environment.nonce().0));
    for partition in partitions(log) {
        // Somebody else may be at it as well: the first genesis in the log is the one that counts.
        let first = match first_record(log, partition).await? {
            Some(first) => first,
            None => {
                append(log, partition, ledger_id).await?;
                begin(log, partition).await?
            }
        };
        ledger_id = first.ledger_id;
    }
    check(log).await
}

/// Whether anything was written behind the genesis. Copies of it, which several who make a ledger at once may leave, do not
/// count.
async fn is_in_use(log: &dyn Log, partition: PartitionId) -> Result<bool, Error> {
    let failed = |source| Error::Log { partition, source };
    for offset in 1..log.bounds(partition.0).await.map_err(failed)?.end {
        let record = log.fetch(partition.0, offset).await.map_err(failed)?;
        let is_genesis = |value: &[u8]| matches!(envelope::decode(value), Ok(Record::Genesis(_)));
        if record.is_some_and(|record| !is_genesis(&record.value)) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Checks that every partition begins with a genesis of the same ledger, that none was added or cut, and that no newer
/// program has written last.
///
/// # Errors
/// Any variant of [`Error`] but [`Error::Append`].
pub async fn check(log: &dyn Log) -> Result<Identity, Error> {
    let mut identity: Option<Identity> = None;
    for partition in partitions(log) {
        let state = first_record(log, partition).await?.ok_or(Error::Empty(partition))?;
        if state.partitions != log.partitions() {
            return Err(Error::PartitionCount { expected: state.partitions, found: log.partitions() });
        }
        let found = Identity { ledger_id: state.ledger_id, partitions: state.partitions };
        let expected = *identity.get_or_insert(found);
        if expected != found {
            return Err(Error::Mixed { partition, expected: expected.ledger_id, found: found.ledger_id });
        }
        last_is_known(log, partition).await?;
    }
    identity.ok_or(Error::Empty(PartitionId(0)))
}

/// The records between are read, and judged, in time. What a newer program wrote last is told at once, so that nobody
/// waits for a partition that stops there.
async fn last_is_known(log: &dyn Log, partition: PartitionId) -> Result<(), Error> {
    let failed = |source| Error::Log { partition, source };
    let offset = log.bounds(partition.0).await.map_err(failed)?.end.saturating_sub(1);
    let Some(record) = log.fetch(partition.0, offset).await.map_err(failed)? else { return Ok(()) };
    match envelope::decode(&record.value) {
        Err(source) if source.is_newer() => Err(Error::Newer { partition, offset, source }),
        _ => Ok(()),
    }
}

/// The state behind the genesis record of a partition.
///
/// # Errors
/// As [`check`].
pub async fn begin(log: &dyn Log, partition: PartitionId) -> Result<State, Error> {
    first_record(log, partition).await?.ok_or(Error::Empty(partition))
}

fn partitions(log: &dyn Log) -> impl Iterator<Item = PartitionId> + use<> {
    (0..log.partitions()).map(PartitionId)
}

async fn first_record(log: &dyn Log, partition: PartitionId) -> Result<Option<State>, Error> {
    let failed = |source| Error::Log { partition, source };
    let bounds = log.bounds(partition.0).await.map_err(failed)?;
    if bounds.begin > 0 {
        return Err(Error::Deleted { partition, begin: bounds.begin });
    }
    match log.fetch(partition.0, 0).await.map_err(failed)? {
        Some(record) => Ok(Some(State::begin(&record.value, partition)?)),
        None => Ok(None),
    }
}

async fn append(log: &dyn Log, partition: PartitionId, ledger_id: LedgerId) -> Result<(), Error> {
    let genesis = Genesis { ledger_id, partition, partitions: log.partitions(), window: WINDOW_DEFAULT };
    let mut producer = log.producer(partition.0).map_err(|source| Error::Log { partition, source })?;
    let deliveries = producer.append(vec![entry::of_genesis(genesis)?]).await.unwrap_or_default();
    match deliveries.into_iter().next() {
        Some(Delivery::Appended { .. }) => Ok(()),
        Some(Delivery::Unknown(source)) => Err(Error::Append { partition, source: Some(source) }),
        None => Err(Error::Append { partition, source: None }),
    }
}
