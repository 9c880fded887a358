//! One of the processes or containers that make up a service.

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::container::Container;
use super::process::Process;

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Member {
    Process(Process),
    Container(Container),
}

impl Member {
    /// Starts it, again with its data if it ran before.
    pub(super) fn start(&mut self) -> Result<()> {
        match self {
            Self::Process(process) => process.start(),
            Self::Container(container) => container.start(),
        }
    }

    pub(super) fn is_running(&self) -> bool {
        match self {
            Self::Process(process) => process.is_running(),
            Self::Container(container) => container.is_running(),
        }
    }

    /// Lets it begin to stop, without waiting for it. A container is only told when it is waited for.
    pub(super) fn ask_to_stop(&self) {
        if let Self::Process(process) = self {
            process.ask_to_stop();
        }
    }

    /// Ends it at once, as a crash would, and returns when it is gone. Its data stay.
    pub(super) fn kill(&self) -> Result<()> {
        match self {
            _ if !self.is_running() => Ok(()),
            Self::Process(process) => process.kill(),
            Self::Container(container) => container.kill(),
        }
    }

    /// Lets it stand still until [`Member::resume`].
    pub(super) fn pause(&self) -> Result<()> {
        match self {
            Self::Process(process) => process.pause(),
            Self::Container(container) => return container.pause(),
        }
        Ok(())
    }

    /// Lets it go on, if it was paused.
    pub(super) fn resume(&self) -> Result<()> {
        match self {
            Self::Process(process) => process.resume(),
            Self::Container(container) => return container.resume(),
        }
        Ok(())
    }

    /// Stops it, whether it runs or not.
    pub(super) fn stop(&self) -> Result<()> {
        match self {
            Self::Process(process) => process.stop(),
            Self::Container(container) => container.stop(),
        }
    }

    pub(super) fn description(&self) -> String {
        match self {
            Self::Process(process) => process.description(),
            Self::Container(container) => container.description(),
        }
    }

    /// The last lines that it wrote.
    pub(super) fn log_tail(&self, lines: usize) -> String {
        let log = match self {
            Self::Process(process) => process.log(),
            Self::Container(container) => container.log(),
        };
        tail(&log, lines).to_owned()
    }
}

/// The last lines of a text.
pub(super) fn tail(text: &str, lines: usize) -> &str {
    let text = text.trim_end();
    let ends_before = text.rmatch_indices('\n').nth(lines.saturating_sub(1));
    ends_before.map_or(text, |(at, _)| &text[at + 1..])
}

#[cfg(test)]
mod tests {
    use super::tail;

    #[test]
    fn the_last_lines_are_kept() {
        assert_eq!(tail("one\ntwo\nthree\n", 2), "two\nthree");
        assert_eq!(tail("one\ntwo", 2), "one\ntwo");
        assert_eq!(tail("", 2), "");
    }
}
