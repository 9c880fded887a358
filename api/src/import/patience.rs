//! A ledger that cannot take a command at the moment is asked again: a broker that fails over, a server that is started
//! anew or too much work at once end no import that has begun.

use std::time::Duration;

use tokio::time::Instant;

use super::target::{Error, Outcome, Submission, Target};

/// How long a ledger may take nothing at all before the import gives up.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);
/// How long to leave it alone meanwhile.
pub(super) const ASK_AGAIN_AFTER: Duration = Duration::from_millis(500);

/// As [`Target::submit`], but goes on from the first command that has no decision yet for as long as that may help. The
/// commands keep their order: none is sent again behind one that was decided after it.
///
/// # Errors
/// As [`Target::submit`], after a while.
pub(super) async fn submit(target: &dyn Target, chunk: &[Submission]) -> Result<Vec<Outcome>, Error> {
    let mut outcomes: Vec<Outcome> = Vec::with_capacity(chunk.len());
    let mut give_up_at = Instant::now() + PATIENCE;
    loop {
        let answer = target.submit(chunk[outcomes.len()..].to_vec()).await;
        let is_late = Instant::now() >= give_up_at;
        let why = match answer {
            Ok(more) => {
                let decided = more.iter().take_while(|outcome| !matches!(outcome, Outcome::Later(_))).count();
                if decided > 0 {
                    give_up_at = Instant::now() + PATIENCE;
                }
                let Some(Outcome::Later(why)) = more.get(decided).cloned().filter(|_| !is_late) else {
                    outcomes.extend(more);
                    return Ok(outcomes);
                };
                outcomes.extend(more.into_iter().take(decided));
                why
            }
            Err(error) if is_late || !error.is_passing() => return Err(error),
            Err(error) => error.to_string(),
        };
        tracing::warn!(why, "the ledger takes no commands at the moment; asking again");
        tokio::time::sleep(ASK_AGAIN_AFTER).await;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use async_trait::async_trait;
    use stockledger_domain::command::{Checked, Command, OpenSite};
    use stockledger_schemas::{Actor, Context, PartitionId, Position, Scope, SiteId};
    use tokio::time::Instant;

    use super::{PATIENCE, submit};
    use crate::import::target::{Answered, Error, Outcome, Submission, Target};

    /// Takes so many commands at a time, then none for one request.
    struct Halting {
        at_a_time: usize,
        sizes: Mutex<Vec<usize>>,
    }

    impl Halting {
        fn new(at_a_time: usize) -> Self {
            Self { at_a_time, sizes: Mutex::default() }
        }
    }

    #[async_trait]
    impl Target for Halting {
        async fn open_site(&self, _: Checked) -> Result<Outcome, Error> {
            unreachable!("no site is opened here")
        }

        async fn submit(&self, chunk: Vec<Submission>) -> Result<Vec<Outcome>, Error> {
            self.sizes.lock().unwrap().push(chunk.len());
            let position = Position::new(PartitionId(0), 1);
            let done = Outcome::Done(Answered { position, is_replay: false });
            let taken = chunk.len().min(self.at_a_time);
            let later = (taken < chunk.len()).then(|| Outcome::Later("busy".to_owned()));
            Ok(std::iter::repeat_n(done, taken).chain(later).collect())
        }

        async fn level_with(&self, _: &SiteId, _: &[Position]) -> Result<(), Error> {
            unreachable!("nothing is read here")
        }

        async fn units_on_hand(&self, _: &SiteId) -> Result<i64, Error> {
            unreachable!("nothing is read here")
        }
    }

    fn chunk(commands: usize) -> Vec<Submission> {
        let open = OpenSite { site: "uk".parse().unwrap(), name: "UK".parse().unwrap() };
        let context = Context::by(Actor::new("tester").unwrap());
        let command = Checked::new(Scope::Directory, Command::OpenSite(open), context).unwrap();
        vec![Submission { command, key: None }; commands]
    }

    #[tokio::test(start_paused = true)]
    async fn it_goes_on_where_the_ledger_stopped() {
        let target = Halting::new(4);
        let outcomes = submit(&target, &chunk(10)).await.unwrap();
        assert_eq!(outcomes.len(), 10);
        assert!(outcomes.iter().all(|outcome| matches!(outcome, Outcome::Done(_))));
        assert_eq!(*target.sizes.lock().unwrap(), [10, 6, 2]);
    }

    #[tokio::test(start_paused = true)]
    async fn it_gives_up_on_a_ledger_that_takes_nothing() {
        let began = Instant::now();
        let outcomes = submit(&Halting::new(0), &chunk(3)).await.unwrap();
        assert_eq!(outcomes, [Outcome::Later("busy".to_owned())]);
        assert!(began.elapsed() >= PATIENCE && began.elapsed() < PATIENCE * 2);
    }
}
