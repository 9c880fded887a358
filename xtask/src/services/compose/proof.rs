//! `cargo xtask compose --run`: the image is built and the file brought up by the engine that is here, callers are told
//! things, every container is killed, and all that was told has to be there each time.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::super::tools::succeed;
use super::callers::Caller;
use super::check;
use super::stack::Stack;
use crate::chaos::http::Client;
use crate::report::say;
use crate::wait;

const LEDGER: &str = "stockledger";
/// What the ledger stands on. `init` is not killed: it ends by itself and runs again at every `up`.
const BELOW: [&str; 2] = ["kafka", "mysql"];
/// How long Prometheus may take until it has asked the ledger and gone through the alarms.
const PROMETHEUS_TIME_MAX: Duration = Duration::from_secs(60);

/// Fails unless what is promised of `docker compose up --wait` holds here, with these services of profiles beside it.
pub(crate) fn prove(root: &Path, with: &[String]) -> Result<()> {
    check(root)?;
    succeed(Command::new("docker").arg("info")).context("no Docker engine answers here: start one")?;
    let stack = Stack::new(root)?;
    stack.build()?;
    let proved = live_through_all(&stack, with);
    if proved.is_err() {
        say(&stack.logs());
    }
    proved
}

fn live_through_all(stack: &Stack<'_>, with: &[String]) -> Result<()> {
    stack.up("from nothing", &[])?;
    let mut caller = Caller::with_goods(stack.url("STOCKLEDGER_PORT")?)?;
    caller.order()?;
    let running = stack.containers()?;
    stack.up("once more", &[])?;
    ensure!(stack.containers()? == running, "the second `up` did not leave alone what ran");
    for service in BELOW {
        let occasion = format!("after {service} was killed and missed");
        stack.kill(service)?;
        caller.order_in_vain();
        stack.wait_for_health_checks(LEDGER)?;
        go_on(stack, &mut caller, &occasion)?;
    }
    stack.kill(LEDGER)?;
    go_on(stack, &mut caller, "after the ledger was killed")?;
    stack.run(&["verify", "--projections"])?;
    stack.down()?;
    go_on(stack, &mut caller, "after everything was taken down")?;
    if !with.is_empty() {
        stack.up(&format!("with {}", with.join(", ")), with)?;
    }
    if with.iter().any(|service| service == "prometheus") {
        check_prometheus(&stack.url("STOCKLEDGER_PROMETHEUS_PORT")?)?;
    }
    stack.remove()
}

/// Brings everything up again, and sees that all is there and more can be done.
fn go_on(stack: &Stack<'_>, caller: &mut Caller, occasion: &str) -> Result<()> {
    stack.up(occasion, &[])?;
    caller.order().and_then(|()| caller.check()).with_context(|| occasion.to_owned())
}

/// Fails unless Prometheus hears from the ledger and has gone through every alarm.
fn check_prometheus(url: &str) -> Result<()> {
    let client = Client::new(PROMETHEUS_TIME_MAX);
    let lists = || {
        let ask = |path: &str| client.get(&format!("{url}/api/v1/{path}"), &[]).map(|answer| answer.body);
        let (targets, rules) = (ask("targets?state=active").ok()?, ask("rules").ok()?);
        Some((targets["data"]["activeTargets"].clone(), rules["data"]["groups"][0]["rules"].clone()))
    };
    let is_well = || lists().is_some_and(|(targets, rules)| all_are(&targets, "up") && all_are(&rules, "ok"));
    ensure!(
        wait::until(PROMETHEUS_TIME_MAX, is_well),
        "Prometheus does not hear from the ledger, or cannot go through the alarms: {:?}",
        lists()
    );
    Ok(())
}

/// Whether Prometheus has something in a list, and calls all of it that.
fn all_are(list: &Value, health: &str) -> bool {
    list.as_array().is_some_and(|list| !list.is_empty() && list.iter().all(|one| one["health"] == health))
}
