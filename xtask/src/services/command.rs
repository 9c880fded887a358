//! A program with its arguments, as it is started and as it is found again among the processes of the machine.

use std::path::PathBuf;
use std::process;

use serde::{Deserialize, Serialize};

/// What to run. Arguments are text because the state file keeps them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Command {
    pub(super) program: PathBuf,
    pub(super) arguments: Vec<String>,
}

impl Command {
    pub(super) fn new(program: impl Into<PathBuf>) -> Self {
        Self { program: program.into(), arguments: vec![] }
    }

    /// With these arguments behind those that it has.
    pub(super) fn with<T: Into<String>>(mut self, arguments: impl IntoIterator<Item = T>) -> Self {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    pub(super) fn to_process(&self) -> process::Command {
        let mut command = process::Command::new(&self.program);
        command.args(&self.arguments);
        command
    }

    /// Whether this is what a process runs that has this command line: words that each end in a zero byte. The program is
    /// not compared, since some start themselves under another path. The arguments name the data directory: they are
    /// enough to know our own.
    pub(super) fn is_run_by(&self, command_line: &[u8]) -> bool {
        let Some(words) = command_line.strip_suffix(b"\0") else {
            return false;
        };
        let arguments = words.split(|byte| *byte == 0).skip(1);
        arguments.eq(self.arguments.iter().map(String::as_bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::Command;

    #[test]
    fn knows_its_own_command_line() {
        let java = Command::new("java").with(["kafka.Kafka", "/data/1/server.properties"]);
        assert!(java.is_run_by(b"java\0kafka.Kafka\0/data/1/server.properties\0"));
        assert!(java.is_run_by(b"/usr/bin/java\0kafka.Kafka\0/data/1/server.properties\0"));
    }

    #[test]
    fn does_not_take_a_stranger_for_its_own() {
        let java = Command::new("java").with(["kafka.Kafka", "/data/1/server.properties"]);
        let strangers: [&[u8]; 5] = [
            b"",
            b"java\0",
            b"java\0kafka.Kafka\0/data/2/server.properties\0",
            b"java\0kafka.Kafka\0/data/1/server.properties\0more\0",
            b"grep\0java kafka.Kafka /data/1/server.properties\0",
        ];
        for stranger in strangers {
            assert!(!java.is_run_by(stranger), "{}", String::from_utf8_lossy(stranger));
        }
    }
}
