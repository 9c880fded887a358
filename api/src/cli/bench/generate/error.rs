//! Why a ledger was not generated to its end.

use stockledger_chain::Halt;
use stockledger_domain::{Impossible, Invalid, Undecidable};
use stockledger_log as log;
use stockledger_schemas::quantity::OutOfRange;
use stockledger_schemas::text::InvalidText;
use stockledger_schemas::{OrderId, PartitionId, Position, codec};
use stockledger_writer::genesis;

use crate::cli::{Exit, Failure};
use crate::setup::Code;

#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error(
        "the log has {records} records already, and a generated ledger needs one that is new: name another with \
         --log or --data-dir, or remove it first"
    )]
    NotEmpty { records: u64 },
    #[error("an order cannot have {lines} different items of {skus}: --lines must not be above --skus")]
    FewSkus { lines: u16, skus: u32 },
    #[error("beginning the ledger")]
    Genesis(#[from] genesis::Error),
    #[error("writing to the log")]
    Log(#[from] log::Error),
    #[error("partition {0}: the log gave no answer to an append")]
    Unacknowledged(PartitionId),
    #[error(
        "partition {partition}: a record stands at offset {found}, not {expected}: somebody else writes to this log"
    )]
    NotAlone { partition: PartitionId, expected: u64, found: u64 },
    #[error("the directory gave site {site} to partition {found}, not {expected}")]
    Misplaced { site: String, expected: u16, found: PartitionId },
    #[error("encoding a record")]
    Encode(#[from] codec::Error),
    #[error("a record of our own is not admitted")]
    Halt(#[from] Halt),
    #[error("the record behind position {0} reads back as another one")]
    NotReadBack(Position),
    #[error("a decision of our own cannot be applied")]
    Impossible(#[from] Impossible),
    #[error("a command is not well formed: {}", list(.0))]
    Invalid(Vec<Invalid>),
    #[error("a command cannot be decided")]
    Undecidable(#[from] Undecidable),
    #[error("order {0} is to go on, but it is not in memory")]
    Lost(OrderId),
    #[error(transparent)]
    Text(#[from] InvalidText),
    #[error(transparent)]
    Number(#[from] OutOfRange),
    #[error("a partition's work broke off")]
    Worker(#[from] tokio::task::JoinError),
}

fn list(problems: &[Invalid]) -> String {
    problems.iter().map(Invalid::to_string).collect::<Vec<_>>().join("; ")
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let exit = match error {
            Error::NotEmpty { .. } | Error::NotAlone { .. } => {
                return Self::refused(Code::LogNotEmpty, error);
            }
            Error::Genesis(error) => return crate::node::Error::from(error).into(),
            Error::FewSkus { .. } => Exit::Usage,
            Error::Log(log::Error::Unavailable { .. }) | Error::Unacknowledged(_) => Exit::NotReady,
            _ => Exit::Failed,
        };
        Self::new(exit, error)
    }
}
