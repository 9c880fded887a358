//! Clients: each asks for one thing after the other, repeats what it is not sure of, and is now and then wrong itself.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use stockledger_schemas::IdempotencyKey;

use crate::faults::Kind;
use crate::history::{Heard, History};
use crate::node::Process;
use crate::shop;
use crate::world::World;

/// How often a command is sent while things go wrong; what is not settled by then is asked for again in the end.
const ATTEMPTS_MAX: usize = 4;
/// How long a client waits for an answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// Where the processes are that clients may ask.
pub type Addresses = Arc<Mutex<Vec<Arc<Process>>>>;

/// What clients have in common.
#[derive(Clone)]
pub struct Clients {
    /// The world.
    pub world: World,
    /// What they did and heard.
    pub history: Arc<Mutex<History>>,
    /// Whom they may ask.
    pub addresses: Addresses,
}

impl Clients {
    /// One client, with so many things to ask for.
    pub async fn run(self, count: usize) {
        for _ in 0..count {
            let number = self.next();
            for attempt in 0..ATTEMPTS_MAX {
                self.send(number, attempt).await;
                if self.with_history(|history| history.is_settled(number)) {
                    break;
                }
                self.world.a_while(400 << attempt).await;
            }
            if self.world.chance(0.1) {
                self.world.a_while(2_000).await;
            }
        }
    }

    /// What to ask for next.
    fn next(&self) -> usize {
        let count = self.with_history(|history| history.len());
        let known = self.world.below(count);
        let has_repeats = self.world.lock().faults.has(Kind::Repeats);
        let may_reuse = count > 0 && self.with_history(|history| history.is_remembered(known));
        let is_reuse = has_repeats && may_reuse && !self.log_forgets() && self.world.chance(0.03);
        let seen = self.with_history(|history| history.last_position()).filter(|_| self.world.chance(0.5));
        let command = shop::command(&mut self.world.lock().rng, seen);
        self.with_history(|history| {
            if is_reuse
                && let (first, Some(key)) = history.request(known)
                && first != command
                && first.scope() == command.scope()
            {
                return history.ask(command, key, true);
            }
            history.ask_fresh(command)
        })
    }

    fn log_forgets(&self) -> bool {
        self.world.lock().faults.harms_the_log()
    }

    /// Sends a command, sometimes twice at once, to some process.
    async fn send(&self, number: usize, attempt: usize) {
        if attempt == 0 && self.world.strikes(Kind::Repeats) {
            let (again, late) = (self.clone(), self.world.chance(0.3));
            tokio::spawn(async move {
                if late {
                    again.world.a_while(8_000).await;
                }
                if let Some(process) = again.somebody() {
                    again.ask(number, &process).await;
                }
            });
        }
        match self.somebody() {
            Some(process) => self.ask(number, &process).await,
            None => self.world.a_while(300).await,
        }
    }

    /// Any process that lives.
    fn somebody(&self) -> Option<Arc<Process>> {
        let addresses = self.addresses.lock().unwrap_or_else(PoisonError::into_inner);
        let alive: Vec<_> = addresses.iter().filter(|process| !process.gate.is_dead()).cloned().collect();
        drop(addresses);
        if alive.is_empty() { None } else { Some(alive[self.world.below(alive.len())].clone()) }
    }

    /// Asks one process once.
    pub async fn ask(&self, number: usize, process: &Process) {
        let sent = self.with_history(|history| history.sent(number, &self.world.lock().topic));
        self.note(sent.map(|()| Vec::new()));
        let heard = self.hear(number, process).await;
        let told = match &heard {
            Heard::Reply(reply) => format!("{} {}", reply.position, reply.decision.events[0].type_name()),
            Heard::Error(error) => error.to_string(),
            Heard::Nothing => "nothing".to_owned(),
        };
        self.world.tell(format_args!("command {number} at process {}: {told}", process.number));
        let taken = self
            .with_history(|history| history.heard(number, process.number, heard, &self.world.lock().topic));
        self.note(taken);
    }

    async fn hear(&self, number: usize, process: &Process) -> Heard {
        self.world.travel().await;
        let Some(ledger) = process.ledger() else {
            return Heard::Error(stockledger_writer::CommandError::NotApplied("nobody listens yet"));
        };
        if self.world.strikes(Kind::Network) {
            return Heard::Nothing;
        }
        let (command, key) = self.with_history(|history| history.request(number));
        let answered = async {
            process.gate.pass().await;
            let answer = ledger.submit(command, key).await;
            process.gate.pass().await;
            self.world.travel().await;
            answer
        };
        let heard = tokio::select! {
            biased;
            () = process.gate.died() => return Heard::Nothing,
            heard = tokio::time::timeout(PATIENCE, answered) => heard,
        };
        match heard {
            Ok(_) if self.world.strikes(Kind::Network) => Heard::Nothing,
            Ok(Ok(reply)) => Heard::Reply(reply),
            Ok(Err(error)) => Heard::Error(error),
            Err(_) => Heard::Nothing,
        }
    }

    fn note(&self, noted: Result<Vec<crate::mark::Mark>, String>) {
        match noted {
            Ok(marks) => marks.into_iter().for_each(|mark| self.world.mark(mark)),
            Err(wrong) => self.world.fail(wrong),
        }
    }

    /// Works with the history.
    pub fn with_history<T>(&self, work: impl FnOnce(&mut History) -> T) -> T {
        work(&mut self.history.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The key of a command by its number.
#[must_use]
pub fn key(number: usize) -> IdempotencyKey {
    IdempotencyKey::new(format!("key-{number}")).expect("a key")
}
