//! The real servers of a test run. They start while lints and documentation keep the compiler busy: the first start
//! downloads packages, and most of what a server does then is waiting.

use std::path::Path;
use std::thread::{self, JoinHandle};

use anyhow::{Context as _, Result, anyhow};

use crate::browser;
use crate::report::say;
use crate::services::{self, Kind, PROGRAM_VARIABLE, Running, ensure_kcat, ensure_promtool};

/// Servers that start, run, or were not asked for. When they are dropped, those that were started are stopped, also while
/// they start.
#[derive(Default)]
pub(crate) struct Servers {
    starting: Option<JoinHandle<Result<Ready>>>,
    running: Option<Ready>,
}

/// What was started, and what was fetched beside it.
struct Ready {
    servers: Running<'static>,
    /// Where axe-core is.
    axe: String,
}

impl Servers {
    /// Begins to start one of each kind and returns at once.
    pub(crate) fn start(root: &'static Path) -> Self {
        let start = || {
            ensure_kcat()?;
            ensure_promtool()?;
            let axe = browser::prepare(root)?;
            Ok(Ready { servers: Running::start(root, &Kind::ALL)?, axe })
        };
        Self { starting: Some(thread::spawn(start)), running: None }
    }

    /// Fails if it is known already that a server did not start.
    pub(crate) fn check(&mut self) -> Result<()> {
        let is_known = self.starting.as_ref().is_some_and(JoinHandle::is_finished);
        if is_known { self.wait() } else { Ok(()) }
    }

    /// Waits until all answer and returns the variables that tell tests where.
    pub(crate) fn environment(&mut self) -> Result<Vec<(&'static str, String)>> {
        self.wait()?;
        let Some(Ready { servers, axe }) = &self.running else {
            return Ok(vec![]);
        };
        let address = |kind: Kind| Ok((kind.variable(), servers.address(kind)?.to_owned()));
        let mut variables: Vec<_> = Kind::ALL.into_iter().map(address).collect::<Result<_>>()?;
        variables.push((PROGRAM_VARIABLE, services::program()?));
        variables.push((browser::AXE_VARIABLE, axe.clone()));
        Ok(variables)
    }

    fn wait(&mut self) -> Result<()> {
        if let Some(starting) = self.starting.take() {
            self.running = Some(joined(starting).context("the servers for tests did not start")?);
        }
        Ok(())
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        if let Some(starting) = self.starting.take() {
            say("waiting for the servers that are starting, to stop them");
            if let Err(error) = joined(starting) {
                say(&format!("warning: the servers for tests did not start: {error:#}"));
            }
        }
    }
}

fn joined(starting: JoinHandle<Result<Ready>>) -> Result<Ready> {
    starting.join().map_err(|_| anyhow!("the thread that starts servers panicked"))?
}

#[cfg(test)]
mod tests {
    use super::{Servers, thread};
    use crate::wait;
    use anyhow::bail;
    use std::time::Duration;

    #[test]
    fn a_server_that_does_not_start_is_a_failure_as_soon_as_it_is_known() {
        let mut servers =
            Servers { starting: Some(thread::spawn(|| bail!("no such package"))), running: None };
        let mut outcome = Ok(());
        assert!(wait::until(Duration::from_secs(30), || {
            outcome = servers.check();
            outcome.is_err()
        }));
        let error = format!("{:#}", outcome.unwrap_err());
        assert_eq!(error, "the servers for tests did not start: no such package");
    }

    #[test]
    fn tests_are_told_nothing_of_servers_that_were_not_asked_for() {
        assert_eq!(Servers::default().environment().unwrap(), []);
    }
}
