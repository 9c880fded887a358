//! `cargo xtask test`: every proof of the project, cheapest first, up to the first that fails.
//!
//! Tests run in the release profile: they are faster there, overflow checks stay on, and the same build then serves the
//! README commands. Those in modules called `on_servers` need real servers, which start beside the steps
//! before; those in modules called `in_browser` need a browser, which is installed there too.

use std::path::Path;
use std::time::Instant;

use anyhow::{Context as _, Result};

use crate::report::{duration, say};
use crate::run::{FEATURES, cargo, to_success};
use crate::servers::Servers;
use crate::{chaos, describe, readme, services, sim, supply, tidy};

/// The names of the modules of tests that need a server, or a browser.
const SERVER_TESTS: &str = "on_servers";
const BROWSER_TESTS: &str = "in_browser";

struct Project {
    root: &'static Path,
    quick: bool,
    servers: Servers,
}

struct Step {
    name: &'static str,
    /// Whether `--quick` leaves it out.
    thorough: bool,
    prove: fn(&mut Project) -> Result<()>,
}

const STEPS: &[Step] = &[
    Step { name: "format", thorough: false, prove: format },
    Step { name: "house rules", thorough: false, prove: |project| tidy::run(project.root) },
    Step { name: "servers, in the background", thorough: true, prove: start_servers },
    Step { name: "supply chain", thorough: true, prove: |project| supply::check(project.root) },
    Step { name: "docker compose", thorough: true, prove: |project| services::compose::check(project.root) },
    Step { name: "lints", thorough: false, prove: lints },
    Step { name: "documentation", thorough: true, prove: documentation },
    Step { name: "tests", thorough: false, prove: tests },
    Step { name: "simulation", thorough: true, prove: |project| sim::prove(project.root) },
    Step { name: "chaos", thorough: true, prove: |project| chaos::short(project.root) },
    Step { name: "description", thorough: true, prove: |project| describe::run(project.root) },
    Step { name: "README commands", thorough: true, prove: |project| readme::run(project.root) },
];

/// Proves everything, or all but the thorough steps and the tests that need servers.
pub(crate) fn run(root: &'static Path, quick: bool) -> Result<()> {
    let began = Instant::now();
    let mut project = Project { root, quick, servers: Servers::default() };
    for step in STEPS {
        if quick && step.thorough {
            say(&format!("==> {}: left out by --quick", step.name));
            continue;
        }
        take(step, &mut project)?;
        project.servers.check().context("the project is not proved")?;
    }
    drop(project);
    let proved = if quick { "proved in part (--quick)" } else { "proved" };
    say(&format!("==> {proved} in {}", duration(began.elapsed())));
    Ok(())
}

fn take(step: &Step, project: &mut Project) -> Result<()> {
    let began = Instant::now();
    say(&format!("==> {}", step.name));
    let outcome = (step.prove)(project);
    let verdict = if outcome.is_ok() { "ok" } else { "FAILED" };
    say(&format!("==> {}: {verdict} after {}", step.name, duration(began.elapsed())));
    outcome.with_context(|| format!("the project is not proved: {} failed", step.name))
}

fn format(project: &mut Project) -> Result<()> {
    to_success(&mut cargo(project.root, &["fmt", "--all", "--check"]))
}

fn start_servers(project: &mut Project) -> Result<()> {
    project.servers = Servers::start(project.root);
    Ok(())
}

fn lints(project: &mut Project) -> Result<()> {
    let arguments =
        ["clippy", "--workspace", "--all-targets", "--features", FEATURES, "--", "-D", "warnings"];
    to_success(&mut cargo(project.root, &arguments))
}

fn documentation(project: &mut Project) -> Result<()> {
    let arguments = ["doc", "--workspace", "--features", FEATURES, "--no-deps"];
    to_success(cargo(project.root, &arguments).env("RUSTDOCFLAGS", "-D warnings"))
}

fn tests(project: &mut Project) -> Result<()> {
    // One that fails does not hide the others.
    let mut test =
        cargo(project.root, &["test", "--release", "--workspace", "--features", FEATURES, "--no-fail-fast"]);
    if project.quick {
        say(&format!("tests in modules called `{SERVER_TESTS}` or `{BROWSER_TESTS}`: left out by --quick"));
        return to_success(test.args(["--", "--skip", SERVER_TESTS, "--skip", BROWSER_TESTS]));
    }
    // What compiles meanwhile needs no server yet.
    to_success(&mut cargo(
        project.root,
        &["test", "--release", "--workspace", "--features", FEATURES, "--no-run"],
    ))?;
    to_success(test.envs(project.servers.environment()?))
}

#[cfg(test)]
mod tests {
    use super::{Project, Servers, Step, take};
    use anyhow::bail;
    use std::path::Path;

    #[test]
    fn a_failing_step_is_named() {
        let mut project = Project { root: Path::new("/"), quick: true, servers: Servers::default() };
        let step = Step { name: "impossible", thorough: false, prove: |_| bail!("because") };
        let error = format!("{:#}", take(&step, &mut project).unwrap_err());
        assert_eq!(error, "the project is not proved: impossible failed: because");
    }
}
