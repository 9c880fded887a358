//! What the tests of the dashboard need: a browser that a program can steer, and axe-core, which looks at accessibility.
//!
//! The browser is a package of the system. axe-core comes from npm, at the version that stands here, below `target/tools`; it
//! is MPL-2.0, looks at pages in tests, and is part of nothing that is shipped.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Result, ensure};

use crate::report::say;
use crate::run::to_success;
use crate::services::{ensure_browser, ensure_npm};

const AXE: &str = "axe-core@4.14.1";

/// The variable that tells tests where axe-core is.
pub(crate) const AXE_VARIABLE: &str = "STOCKLEDGER_TEST_AXE";

/// Gets what is missing; where axe-core is.
pub(crate) fn prepare(root: &Path) -> Result<String> {
    ensure_browser()?;
    let home = root.join("target/tools/axe");
    let version = home.join(AXE.replace('@', "-"));
    let axe = version.join("node_modules/axe-core/axe.min.js");
    if !axe.exists() {
        ensure_npm()?;
        say(&format!("fetching {AXE}"));
        std::fs::create_dir_all(&version)?;
        let mut install = Command::new("npm");
        install.args(["install", "--no-save", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix"]);
        to_success(install.arg(&version).arg(AXE).stdout(Stdio::null()))?;
    }
    ensure!(axe.exists(), "{AXE} has no file {}", axe.display());
    Ok(axe.display().to_string())
}
