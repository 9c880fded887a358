//! Runs the commands of README.md as a reader would, in order, from the root of the repository.
//!
//! The convention, also told in `CONTRIBUTING.md`:
//! - Commands stand in fenced blocks marked `console`, on lines that begin with `$ `. A line that ends in `\` goes on on
//!   the next one. All other lines show output and are not compared.
//! - A block marked `console,ignore` is not run.
//! - The command of a block marked `console,server` is a server. It goes on running; the next command waits until the server answers on
//!   `/readyz`. It is stopped before the next server starts, or at the end.

mod parse;
mod shell;

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};

use crate::report::{duration, say};
use parse::Command;
use shell::Shell;

/// Longest time that one command may take, or that a server may take until it answers. The first one compiles.
const COMMAND_TIME_MAX: Duration = Duration::from_secs(15 * 60);
/// Where a server of the README answers.
const SERVER: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 7070);

/// Runs every command of README.md.
pub(crate) fn run(root: &Path) -> Result<()> {
    let readme = fs::read_to_string(root.join("README.md")).context("reading README.md")?;
    let commands = parse::commands(&readme);
    ensure!(
        !commands.is_empty(),
        "README.md has no block marked `console` with a line that begins with `$ `"
    );
    Runner { root, server: SERVER, time_max: COMMAND_TIME_MAX }.run(&commands)
}

struct Runner<'a> {
    root: &'a Path,
    server: SocketAddr,
    time_max: Duration,
}

impl Runner<'_> {
    fn run(&self, commands: &[Command]) -> Result<()> {
        let mut running = None;
        for command in commands {
            let began = Instant::now();
            say(&format!("$ {}", command.shell));
            if command.is_server {
                drop(running.take());
                running = Some(self.serve(command)?);
            } else {
                self.finish(command)?;
            }
            say(&format!("  README.md line {}: ok after {}", command.line, duration(began.elapsed())));
        }
        Ok(())
    }

    fn finish(&self, command: &Command) -> Result<()> {
        ensure!(
            !command.shell.contains("xtask test"),
            "README.md line {}: a command that runs these commands never ends; mark its block `console,ignore`",
            command.line
        );
        let mut shell = Shell::start(&command.shell, self.root)?;
        match shell.exited_within(self.time_max)? {
            Some(status) if status.success() => Ok(()),
            Some(status) => bail!("README.md line {}: `{}` failed: {status}", command.line, command.shell),
            None => bail!("README.md line {}: `{}` takes too long", command.line, command.shell),
        }
    }

    fn serve(&self, command: &Command) -> Result<Shell> {
        let line = command.line;
        ensure!(
            !shell::is_open(self.server),
            "README.md line {line}: something else answers on {}",
            self.server
        );
        let mut shell = Shell::start(&command.shell, self.root)?;
        let began = Instant::now();
        while !shell::is_ready(self.server) {
            if let Some(status) = shell.exited_within(Duration::from_millis(100))? {
                bail!("README.md line {line}: `{}` ended before it answered: {status}", command.shell);
            }
            ensure!(
                began.elapsed() < self.time_max,
                "README.md line {line}: `{}` never answers",
                command.shell
            );
        }
        Ok(shell)
    }
}

#[cfg(test)]
mod tests {
    use super::{Command, Runner};
    use std::io::{BufRead as _, BufReader, Write as _};
    use std::net::{SocketAddr, TcpListener};
    use std::path::Path;
    use std::time::{Duration, Instant};

    fn runner(server: SocketAddr) -> Runner<'static> {
        Runner { root: Path::new("/"), server, time_max: Duration::from_secs(20) }
    }

    fn command(shell: &str, is_server: bool) -> Command {
        Command { line: 7, shell: shell.to_owned(), is_server }
    }

    /// An address where nobody listens.
    fn closed_address() -> SocketAddr {
        TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
    }

    #[test]
    fn runs_commands_until_one_fails() {
        let commands = [command("true", false), command("exit 3", false), command("exit 4", false)];
        let error = runner(closed_address()).run(&commands).unwrap_err().to_string();
        assert_eq!(error, "README.md line 7: `exit 3` failed: exit status: 3");
    }

    #[test]
    fn stops_a_command_that_takes_too_long() {
        let runner = Runner { time_max: Duration::from_millis(50), ..runner(closed_address()) };
        let error = runner.run(&[command("exec sleep 600", false)]).unwrap_err().to_string();
        assert_eq!(error, "README.md line 7: `exec sleep 600` takes too long");
    }

    #[test]
    fn refuses_a_command_that_would_run_itself() {
        let error = runner(closed_address()).run(&[command("cargo xtask test", false)]).unwrap_err();
        assert!(error.to_string().contains("never ends"), "{error}");
    }

    #[test]
    fn a_server_that_ends_early_is_a_failure() {
        let error = runner(closed_address()).run(&[command("exit 6", true)]).unwrap_err().to_string();
        assert_eq!(error, "README.md line 7: `exit 6` ended before it answered: exit status: 6");
    }

    #[test]
    fn a_foreign_server_is_not_taken_for_ours() {
        let foreign = TcpListener::bind("127.0.0.1:0").unwrap();
        let error = runner(foreign.local_addr().unwrap()).run(&[command("sleep 600", true)]).unwrap_err();
        assert!(error.to_string().contains("something else answers"), "{error}");
    }

    #[test]
    fn the_next_command_waits_until_the_server_is_ready() {
        let address = closed_address();
        let directory = std::env::temp_dir();
        let started = directory.join(format!("xtask-readme-{}", address.port()));
        let server = command(&format!("touch {}; exec sleep 600", started.display()), true);
        let answering = std::thread::spawn({
            let started = started.clone();
            move || answer_once_started(address, &started)
        });
        runner(address).run(&[server, command("true", false)]).unwrap();
        let _ = std::fs::remove_file(started);
        assert_eq!(answering.join().unwrap(), ["GET /readyz HTTP/1.1"; 2]);
    }

    /// Listens once the file is there; is not ready on the first question and ready on the second.
    fn answer_once_started(address: SocketAddr, started: &Path) -> Vec<String> {
        let began = Instant::now();
        while !started.exists() {
            assert!(began.elapsed() < Duration::from_secs(20), "the server command never started");
            std::thread::yield_now();
        }
        let listener = TcpListener::bind(address).unwrap();
        let answer = |status: &str| {
            let (mut stream, _) = listener.accept().unwrap();
            let lines = BufReader::new(stream.try_clone().unwrap()).lines().map(Result::unwrap);
            let request: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
            let response = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n");
            stream.write_all(response.as_bytes()).unwrap();
            request[0].clone()
        };
        vec![answer("503 Service Unavailable"), answer("200 OK")]
    }
}
