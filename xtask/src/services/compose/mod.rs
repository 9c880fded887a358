//! docker-compose.yml: whether Docker Compose takes it, which needs no engine, and whether what it describes lives through
//! what is promised of it ([`proof`]), which needs one.

mod callers;
mod proof;
mod stack;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::debian::{Packages, unpacked};
use super::state::Places;
use super::tools::succeed;
pub(crate) use proof::prove;
pub(super) use stack::remove_of_run;

/// The first release that knows all that the file uses is in no Debian that is stable.
const COMPOSE: Packages = Packages { directory: "docker-compose", suite: "sid", names: &["docker-compose"] };
/// Where the package puts it: as a plug-in of the program `docker`.
const PROGRAM: &str = "usr/libexec/docker/cli-plugins/docker-compose";
/// What is left out unless it is asked for.
const PROFILES: [&str; 2] = ["kafka-ui", "monitoring"];

/// Fails unless Compose takes the file with each profile and with all of them, every service that stays says how it is, and
/// every file that a container is given exists.
pub(crate) fn check(root: &Path) -> Result<()> {
    let mut choices: Vec<Vec<&str>> = vec![vec![], PROFILES.to_vec()];
    choices.extend(PROFILES.map(|profile| vec![profile]));
    let mut services = BTreeSet::new();
    for profiles in choices {
        let config =
            config(root, &profiles).with_context(|| format!("docker-compose.yml with {profiles:?}"))?;
        let found = config["services"].as_object().context("Compose shows no services")?;
        for (name, service) in found {
            services.insert(name.clone());
            check_service(name, service)?;
        }
    }
    let expected = ["grafana", "init", "kafka", "kafka-ui", "mysql", "prometheus", "stockledger"];
    ensure!(services.iter().eq(expected), "docker-compose.yml has the services {services:?}");
    Ok(())
}

fn check_service(name: &str, service: &Value) -> Result<()> {
    let image = service["image"].as_str().unwrap_or_default();
    let is_pinned = image.rsplit_once(':').is_some_and(|(_, tag)| !tag.is_empty() && tag != "latest");
    ensure!(is_pinned, "the image of {name}, {image}, names no version");
    // Our image says itself how it is: `stockledger health`.
    let is_checked = !service["healthcheck"].is_null() || image == "stockledger:local";
    ensure!(is_checked, "{name} has no health check");
    for volume in service["volumes"].as_array().into_iter().flatten() {
        let (kind, source) = (volume["type"].as_str(), volume["source"].as_str().unwrap_or_default());
        ensure!(
            kind != Some("bind") || Path::new(source).is_file(),
            "{name} is given {source}, which is no file"
        );
    }
    for port in service["ports"].as_array().into_iter().flatten() {
        ensure!(port["host_ip"] == "127.0.0.1", "{name} publishes {port} beyond this machine");
    }
    Ok(())
}

/// The file as Compose understands it.
fn config(root: &Path, profiles: &[&str]) -> Result<Value> {
    let mut command = compose(root)?;
    command.current_dir(root);
    for profile in profiles {
        command.args(["--profile", profile]);
    }
    let shown = succeed(command.args(["config", "--format", "json"]))?;
    serde_json::from_str(&shown).context("Compose shows no JSON")
}

/// The one that is here, or else one of a package.
fn compose(root: &Path) -> Result<Command> {
    let mut here = Command::new("docker");
    here.arg("compose");
    if succeed(Command::new("docker").args(["compose", "version"])).is_ok() {
        return Ok(here);
    }
    let unpacked = unpacked(&Places::of(root).packages(), &COMPOSE)?;
    Ok(unpacked.command(PROGRAM)?.to_process())
}
