//! `cargo xtask test`: every proof of the project, cheapest first, up to the first that fails.
//!
//! Tests run in the release profile: they are faster there, overflow checks stay on, and the same build then serves the
//! README commands.

use std::path::Path;
use std::time::Instant;

use anyhow::{Context as _, Result};

use crate::report::{duration, say};
use crate::run::{cargo, to_success};
use crate::{readme, tidy};

struct Step {
    name: &'static str,
    /// Whether `--quick` leaves it out.
    thorough: bool,
    prove: fn(&Path) -> Result<()>,
}

const STEPS: &[Step] = &[
    Step { name: "format", thorough: false, prove: format },
    Step { name: "house rules", thorough: false, prove: tidy::run },
    Step { name: "lints", thorough: false, prove: lints },
    Step { name: "documentation", thorough: true, prove: documentation },
    Step { name: "tests", thorough: false, prove: tests },
    Step { name: "README commands", thorough: true, prove: readme::run },
];

/// Proves everything, or all but the thorough steps.
pub(crate) fn run(root: &Path, quick: bool) -> Result<()> {
    let began = Instant::now();
    for step in STEPS {
        if quick && step.thorough {
            say(&format!("==> {}: left out by --quick", step.name));
            continue;
        }
        take(step, root)?;
    }
    let proved = if quick { "proved in part (--quick)" } else { "proved" };
    say(&format!("==> {proved} in {}", duration(began.elapsed())));
    Ok(())
}

fn take(step: &Step, root: &Path) -> Result<()> {
    let began = Instant::now();
    say(&format!("==> {}", step.name));
    let outcome = (step.prove)(root);
    let verdict = if outcome.is_ok() { "ok" } else { "FAILED" };
    say(&format!("==> {}: {verdict} after {}", step.name, duration(began.elapsed())));
    outcome.with_context(|| format!("the project is not proved: {} failed", step.name))
}

fn format(root: &Path) -> Result<()> {
    to_success(&mut cargo(root, &["fmt", "--all", "--check"]))
}

fn lints(root: &Path) -> Result<()> {
    let arguments = ["clippy", "--workspace", "--all-targets", "--all-features", "--", "-D", "warnings"];
    to_success(&mut cargo(root, &arguments))
}

fn documentation(root: &Path) -> Result<()> {
    let arguments = ["doc", "--workspace", "--all-features", "--no-deps"];
    to_success(cargo(root, &arguments).env("RUSTDOCFLAGS", "-D warnings"))
}

fn tests(root: &Path) -> Result<()> {
    to_success(&mut cargo(root, &["test", "--release", "--workspace", "--all-features"]))
}

#[cfg(test)]
mod tests {
    use super::{Step, take};
    use anyhow::bail;
    use std::path::Path;

    #[test]
    fn a_failing_step_is_named() {
        let step = Step { name: "impossible", thorough: false, prove: |_| bail!("because") };
        let error = format!("{:#}", take(&step, Path::new("/")).unwrap_err());
        assert_eq!(error, "the project is not proved: impossible failed: because");
    }
}
