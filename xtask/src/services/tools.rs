//! Runs other programs quietly, and gets those that the machine lacks.

use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};

use super::member::tail;
use crate::report::say;

/// What Kafka needs.
const JAVA_VERSION_MIN: u32 = 17;
/// How much of what a failed program said is shown.
const LINES_SHOWN: usize = 20;

/// Runs a program to its end and returns what it wrote to standard output, without the white space at its end. Nothing of
/// it reaches our own standard output, which holds addresses only.
pub(super) fn succeed(command: &mut Command) -> Result<String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.output().with_context(|| format!("`{program}` does not start"))?;
    let said = String::from_utf8_lossy(&output.stdout);
    let complaint = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "`{program}` failed: {}\n{}\n{}",
        output.status,
        tail(&said, LINES_SHOWN),
        tail(&complaint, LINES_SHOWN)
    );
    Ok(said.trim_end().to_owned())
}

/// Makes sure that there is a Java that is new enough, and Maven.
pub(super) fn ensure_java_and_maven() -> Result<()> {
    if java_version().is_none() {
        install("default-jre-headless")?;
    }
    let version = java_version().context("`java` was installed but does not start")?;
    ensure!(version >= JAVA_VERSION_MIN, "Kafka needs Java {JAVA_VERSION_MIN}, and this is Java {version}");
    if !is_there("mvn") {
        install("maven")?;
    }
    Ok(())
}

/// Makes sure that there is kcat, with which a test looks at a topic as people do.
pub(crate) fn ensure_kcat() -> Result<()> {
    if says("kcat", "-V") { Ok(()) } else { install("kcat") }
}

/// Makes sure that there is promtool, which checks what the metrics, the dashboard and the alarms say.
pub(crate) fn ensure_promtool() -> Result<()> {
    if is_there("promtool") { Ok(()) } else { install("prometheus") }
}

/// Makes sure that there are Node.js and npm.
pub(crate) fn ensure_npm() -> Result<()> {
    if is_there("npm") { Ok(()) } else { install("npm") }
}

/// Whether a program is there that can say its version.
pub(super) fn is_there(program: &str) -> bool {
    says(program, "--version")
}

fn says(program: &str, argument: &str) -> bool {
    let mut command = Command::new(program);
    command.arg(argument).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

pub(super) fn is_root() -> bool {
    succeed(Command::new("id").arg("-u")).is_ok_and(|id| id == "0")
}

fn install(package: &str) -> Result<()> {
    ensure!(
        is_root() && is_there("apt-get"),
        "the package `{package}` is missing and can only be installed by root with apt-get: install it, start Docker, or \
         give the addresses of servers in the environment"
    );
    say(&format!("installing the package `{package}` with apt-get"));
    succeed(Command::new("apt-get").args(["update", "-qq"]))?;
    let install = ["install", "-y", "-qq", "--no-install-recommends", package];
    succeed(Command::new("apt-get").env("DEBIAN_FRONTEND", "noninteractive").args(install)).map(drop)
}

fn java_version() -> Option<u32> {
    let output = Command::new("java").arg("-version").output().ok()?;
    parse_java_version(&String::from_utf8_lossy(&output.stderr))
}

/// `17` of a first line such as `openjdk version "17.0.15" 2025-04-15`. Java 8 and before call themselves 1.8 and so on.
fn parse_java_version(text: &str) -> Option<u32> {
    let version = text.split_once("version \"")?.1;
    version.split(|letter: char| !letter.is_ascii_digit()).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::{Command, parse_java_version, succeed};

    #[test]
    fn the_major_version_of_java_is_read() {
        let table = [
            ("openjdk version \"17.0.15\" 2025-04-15\nOpenJDK Runtime\n", Some(17)),
            ("openjdk version \"21\" 2023-09-19\n", Some(21)),
            ("java version \"1.8.0_402\"\n", Some(1)),
            ("no java here", None),
            ("version \"x\"", None),
        ];
        for (text, version) in table {
            assert_eq!(parse_java_version(text), version, "{text}");
        }
    }

    #[test]
    fn a_failure_shows_what_the_program_said() {
        let failing = succeed(Command::new("sh").args(["-c", "echo one; echo two >&2; exit 4"]));
        let error = failing.unwrap_err().to_string();
        assert!(error.contains("one") && error.contains("two") && error.contains('4'), "{error}");
        assert_eq!(succeed(Command::new("echo").arg("good")).unwrap(), "good");
    }
}
