//! Who hears what the writers do, so that it can be measured. Nobody decides anything by it.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use stockledger_schemas::Decision;
use tokio::time::Instant;

use crate::ledger::PendingReply;
use crate::reply::{CommandError, Reply};

/// Hears what the writers of a ledger do. Called on their own tasks and on those of callers, so it returns at once.
pub trait Observer: Debug + Send + Sync {
    /// The log has acknowledged an append of so many records, so long after it was sent.
    fn committed(&self, records: usize, took: Duration);

    /// A decision of this writer is certain.
    fn confirmed(&self, decision: &Decision);

    /// What this name says, the kind of a command or `bundle`, is answered, so long after it came. Not called for one whose
    /// caller went away before.
    fn answered(&self, command: &'static str, outcome: Result<&Reply, &CommandError>, took: Duration);
}

/// What becomes of one command, to be told.
#[derive(Debug)]
pub(crate) struct Watch {
    observer: Arc<dyn Observer>,
    command: &'static str,
    came: Instant,
}

impl Watch {
    pub(crate) fn new(observer: Arc<dyn Observer>, command: &'static str) -> Self {
        Self { observer, command, came: Instant::now() }
    }

    /// Goes on with a command that was let in; tells of one that was not.
    pub(crate) fn follow(
        watch: Option<Self>,
        entered: Result<PendingReply, CommandError>,
    ) -> Result<PendingReply, CommandError> {
        match entered {
            Ok(pending) => Ok(pending.watched_by(watch)),
            Err(error) => {
                if let Some(watch) = watch {
                    watch.tell(Err(&error));
                }
                Err(error)
            }
        }
    }

    /// Tells what became of it.
    pub(crate) fn tell(self, outcome: Result<&Reply, &CommandError>) {
        self.observer.answered(self.command, outcome, self.came.elapsed());
    }
}
