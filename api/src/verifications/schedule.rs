//! When a node verifies by itself: so long after the last time, whoever began that one, and only where it leads the
//! directory, so that one node of many does.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use stockledger_schemas::{PartitionId, Timestamp};
use stockledger_writer::{Ledger, WriterState};
use tokio::time::sleep;

use super::{State, Verifications};

/// How often it is looked whether it is time, at least: a clock may be set.
const LOOK_EVERY: Duration = Duration::from_secs(60);
/// How often at most, and how long a node is given at its start to do what is more urgent.
const LOOK_AFTER: Duration = Duration::from_secs(10);
/// How soon it is tried again after it did not come to its end, at the earliest.
const AGAIN_AFTER: Duration = Duration::from_secs(600);

impl Verifications {
    /// Begins to verify every so often, until it is stopped; says first what the last one found wrong.
    pub fn regularly(&self, every: Every) {
        self.tell_last();
        let Some(every) = every.0 else { return };
        self.state().every = Some(every);
        let (verifications, cancel) = (self.clone(), self.0.cancel.clone());
        tokio::spawn(async move {
            cancel.run_until_cancelled(verifications.look(every)).await;
        });
    }

    async fn look(self, every: Duration) {
        loop {
            sleep(self.left(every).clamp(every.min(LOOK_AFTER), LOOK_EVERY)).await;
            if self.leads() && self.left(every).is_zero() {
                // One that somebody asked for is running: that is as good.
                let _ = self.begin();
            }
        }
    }

    /// Whether this node leads the directory: of many nodes one does.
    pub(super) fn leads(&self) -> bool {
        self.0.setup.writer.as_ref().is_some_and(leads_directory)
    }

    /// How long it is until the next one.
    fn left(&self, every: Duration) -> Duration {
        let now = self.0.setup.environment.now();
        let State { last, broken_off, .. } = &*self.state();
        let after_last = last.as_ref().map(|last| left_of(every, last.ended_at, now));
        let after_failure = broken_off.as_ref().map(|one| left_of(every.min(AGAIN_AFTER), one.ended_at, now));
        after_last.unwrap_or_default().max(after_failure.unwrap_or_default())
    }
}

/// What is left of a time since an instant; nothing if that is yet to come, as after a clock was set back.
fn left_of(every: Duration, since: Timestamp, now: Timestamp) -> Duration {
    u64::try_from(now.micros() - since.micros())
        .map_or(Duration::ZERO, |passed| every.saturating_sub(Duration::from_micros(passed)))
}

fn leads_directory(writer: &Ledger) -> bool {
    let mut status = writer.status().into_iter();
    status.any(|one| one.partition == PartitionId::DIRECTORY && one.writer == WriterState::Leading)
}

/// How often a node verifies by itself: `24h`, or `off` for never.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Every(Option<Duration>);

/// What is no such time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be off, or a time such as 30m, 24h or 7d")]
pub struct InvalidEvery;

/// Each unit in seconds, the longest first.
const UNITS: [(char, u64); 4] = [('d', 86_400), ('h', 3_600), ('m', 60), ('s', 1)];
const OFF: &str = "off";

impl Default for Every {
    /// Once a day.
    fn default() -> Self {
        Self(Some(Duration::from_secs(86_400)))
    }
}

impl FromStr for Every {
    type Err = InvalidEvery;

    fn from_str(text: &str) -> Result<Self, InvalidEvery> {
        if text == OFF {
            return Ok(Self(None));
        }
        let in_unit = |(letter, seconds): (char, u64)| Some((text.strip_suffix(letter)?, seconds));
        let (digits, seconds) = UNITS.into_iter().find_map(in_unit).ok_or(InvalidEvery)?;
        let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
        match digits.parse::<u32>() {
            Ok(count @ 1..) if is_number => Ok(Self(Some(Duration::from_secs(u64::from(count) * seconds)))),
            _ => Err(InvalidEvery),
        }
    }
}

impl fmt::Display for Every {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(every) = self.0 else { return formatter.write_str(OFF) };
        let every = every.as_secs();
        // Up to two days are told in hours, as people say them.
        let fits =
            |&(letter, seconds): &(char, u64)| every % seconds == 0 && (letter != 'd' || every > 172_800);
        let (letter, seconds) = UNITS.into_iter().find(fits).unwrap_or(('s', 1));
        write!(formatter, "{}{letter}", every / seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_often_is_said_as_people_say_it() {
        for text in ["off", "1s", "90s", "30m", "24h", "48h", "7d"] {
            assert_eq!(text.parse::<Every>().unwrap().to_string(), text);
        }
        assert_eq!(Every::default().to_string(), "24h");
        assert_eq!("1d".parse(), Ok(Every::default()));
        for wrong in ["", "0h", "h", "24", "-1h", "+1h", "1.5h", "24hh", "1w", "never", "99999999999h", " 1h"]
        {
            assert_eq!(wrong.parse::<Every>(), Err(InvalidEvery), "{wrong}");
        }
    }

    #[test]
    fn what_was_in_the_future_is_due() {
        let at = |seconds: i64| Timestamp::from_micros(seconds * 1_000_000).unwrap();
        let minute = Duration::from_secs(60);
        let cases =
            [(at(100), at(130), 30), (at(100), at(160), 0), (at(100), at(999), 0), (at(100), at(99), 0)];
        for (since, now, left) in cases {
            assert_eq!(left_of(minute, since, now), Duration::from_secs(left), "{since} {now}");
        }
    }
}
