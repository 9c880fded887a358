//! Waits for a condition with a deadline.

use std::thread;
use std::time::{Duration, Instant};

/// How often a condition is looked at. A server takes seconds to start, so this costs nothing that anybody would notice.
const PAUSE: Duration = Duration::from_millis(100);

/// Whether the condition became true in time. It is looked at once at least.
pub(crate) fn until(time_max: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let began = Instant::now();
    while !condition() {
        if began.elapsed() >= time_max {
            return false;
        }
        thread::park_timeout(PAUSE);
    }
    true
}

#[cfg(test)]
mod tests {
    use super::{Duration, until};

    #[test]
    fn waits_until_the_condition_holds_and_no_longer_than_allowed() {
        let mut looks = 0;
        let third_look = || {
            looks += 1;
            looks == 3
        };
        assert!(until(Duration::from_secs(60), third_look));
        assert!(!until(Duration::from_millis(1), || false));
    }
}
