//! What the tasks say to the person who runs them, on standard error.

use std::time::Duration;

/// Says one line.
#[expect(clippy::print_stderr, reason = "this is where a task speaks to people")]
pub(crate) fn say(line: &str) {
    eprintln!("{line}");
}

/// `4.2 s` or `3 min 7 s`.
pub(crate) fn duration(time: Duration) -> String {
    match time.as_secs() {
        0..60 => format!("{:.1} s", time.as_secs_f64()),
        seconds => format!("{} min {} s", seconds / 60, seconds % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::duration;
    use std::time::Duration;

    #[test]
    fn long_times_are_said_in_minutes() {
        assert_eq!(duration(Duration::from_millis(4_230)), "4.2 s");
        assert_eq!(duration(Duration::from_secs(187)), "3 min 7 s");
    }
}
