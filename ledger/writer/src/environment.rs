//! What the writer takes from outside the log: the time and random bytes. Handed in, so that a test or a simulation
//! decides both.

use std::time::{SystemTime, UNIX_EPOCH};

use stockledger_schemas::{Nonce, Timestamp};
use uuid::Uuid;

/// Time and randomness.
pub trait Environment: Send + Sync + 'static {
    /// The time now, by this node's clock.
    fn now(&self) -> Timestamp;

    /// 16 bytes that nobody has ever used before.
    fn nonce(&self) -> Nonce;
}

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
            .and_then(|micros| Timestamp::from_micros(micros).ok())
            .unwrap_or(Timestamp::MAX)
    }

    fn nonce(&self) -> Nonce {
        Nonce(Uuid::new_v4().into_bytes())
    }
}
