//! A Postman collection, made of the description and run from its first request to its last: whoever imports the description
//! into Postman gets requests that do what they say.
//!
//! Both programs come from npm, at the versions of `postman/package-lock.json`, below `target/tools`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::server::Server;
use crate::report::say;
use crate::run::to_success;
use crate::services::ensure_npm;

const PACKAGE: &str = include_str!("postman/package.json");
const LOCK: &str = include_str!("postman/package-lock.json");

/// How requests are made of the description: from its examples, with a folder for each tag.
const OPTIONS: &str = "folderStrategy=Tags,parametersResolution=Example,requestParametersResolution=Example,optimizeConversion=false";

/// A stream of events ends with the service, and a collection waits for each of its answers.
const ENDLESS: &str = "v1/events/stream";

/// What each answer is held against. A command is carried out; its position is what later reads wait for.
const CHECK: &str = "\
const isProblem = (pm.response.headers.get('Content-Type') || '').startsWith('application/problem+json');
const isCommand = pm.request.headers.has('Idempotency-Key') || pm.request.method === 'PUT';
pm.test('is answered as is described', () => {
    pm.expect(pm.response.code, pm.response.text()).to.be.below(isCommand ? 300 : 500);
    pm.expect(isProblem).to.equal(pm.response.code >= 400);
});
if (pm.response.headers.has('Ledger-Position')) {
    pm.environment.set('position', pm.response.headers.get('Ledger-Position'));
}";

/// Makes the collection and runs it against a server.
pub(super) fn run(root: &Path, home: &Path, server: &Server) -> Result<()> {
    let tools = tools(root)?;
    let made = home.join("made.json");
    let mut convert = program(&tools, "openapi2postmanv2");
    convert.arg("-s").arg(root.join("docs/openapi.json")).arg("-o").arg(&made).args(["-O", OPTIONS]);
    to_success(convert.stdout(Stdio::null()))?;
    let made = fs::read_to_string(&made).with_context(|| format!("reading {}", made.display()))?;
    let mut collection: Value = serde_json::from_str(&made).context("the collection is no JSON")?;
    prepare(&mut collection)?;
    let file = home.join("stockledger.postman_collection.json");
    fs::write(&file, collection.to_string()).with_context(|| format!("writing {}", file.display()))?;
    // In a file, since whoever looks sees the arguments of a process.
    let environment = home.join("environment.json");
    fs::write(&environment, environment_of(server).to_string())
        .with_context(|| format!("writing {}", environment.display()))?;
    let mut newman = program(&tools, "newman");
    newman.arg("run").arg(&file).arg("--environment").arg(&environment);
    newman.args(["--reporters", "cli", "--reporter-cli-silent"]);
    newman.args(["--timeout-request", "30000", "--color", "off"]);
    to_success(&mut newman).context("the collection was not answered as it must be")?;
    say("the Postman collection was carried out");
    Ok(())
}

/// The directory of the tools, fetched if they are not there.
fn tools(root: &Path) -> Result<PathBuf> {
    let home = root.join("target/tools/postman");
    let stamp = home.join("fetched.json");
    if fs::read_to_string(&stamp).is_ok_and(|fetched| fetched == LOCK) {
        return Ok(home);
    }
    ensure_npm()?;
    say("fetching openapi-to-postmanv2 and newman");
    fs::create_dir_all(&home).with_context(|| format!("making {}", home.display()))?;
    for (name, content) in [("package.json", PACKAGE), ("package-lock.json", LOCK)] {
        fs::write(home.join(name), content).with_context(|| format!("writing {name}"))?;
    }
    let mut npm = Command::new("npm");
    npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"]).current_dir(&home);
    to_success(npm.stdin(Stdio::null()))?;
    fs::write(&stamp, LOCK).with_context(|| format!("writing {}", stamp.display()))?;
    Ok(home)
}

fn program(tools: &Path, name: &str) -> Command {
    let mut command = Command::new(tools.join("node_modules/.bin").join(name));
    command.stdin(Stdio::null());
    command
}

fn environment_of(server: &Server) -> Value {
    let value = |key, value: &str| json!({ "key": key, "value": value, "enabled": true });
    let values =
        [value("baseUrl", server.url()), value("bearerToken", server.token()), value("position", "0.1")];
    json!({ "name": "a server", "values": values })
}

/// Puts the requests into an order in which each can be carried out, and makes each check its answer.
fn prepare(collection: &mut Value) -> Result<()> {
    let mut requests = Vec::new();
    flatten(collection["item"].take(), &mut requests);
    requests.retain(|item| path_of(item) != ENDLESS);
    ensure!(requests.len() > 40, "the collection has {} requests", requests.len());
    // Those of one rank stay as they are described.
    requests.sort_by_key(rank);
    for item in &mut requests {
        settle(&mut item["request"]);
    }
    collection["item"] = requests.into();
    let check: Vec<&str> = CHECK.lines().collect();
    collection["event"] =
        json!([{ "listen": "test", "script": { "type": "text/javascript", "exec": check } }]);
    Ok(())
}

fn flatten(items: Value, into: &mut Vec<Value>) {
    let Value::Array(items) = items else { return };
    for mut item in items {
        match item.get_mut("item").map(Value::take) {
            Some(below) => flatten(below, into),
            None => into.push(item),
        }
    }
}

fn path_of(item: &Value) -> String {
    let parts = item["request"]["url"]["path"].as_array().into_iter().flatten();
    parts.filter_map(Value::as_str).collect::<Vec<_>>().join("/")
}

/// Sites before what is in them, commands before reads, and what ends something at the end.
fn rank(item: &Value) -> u8 {
    let path = path_of(item);
    match item["request"]["method"].as_str().unwrap_or_default() {
        "PUT" => 0,
        "POST" if path.starts_with("v1/sites") || path.starts_with("v1/keys") => 1,
        "GET" => 2,
        _ => 3,
    }
}

/// Gives a request the values of this run, and leaves out what is up to its caller.
fn settle(request: &mut Value) {
    for header in request["header"].as_array_mut().into_iter().flatten() {
        match header["key"].as_str().unwrap_or_default() {
            "Idempotency-Key" => header["value"] = "{{$guid}}".into(),
            "Ledger-Min-Position" => header["value"] = "{{position}}".into(),
            "Content-Type" | "Accept" => {}
            _ => header["disabled"] = true.into(),
        }
    }
    for parameter in request["url"]["query"].as_array_mut().into_iter().flatten() {
        let about = parameter["description"]["content"].as_str().unwrap_or_default();
        match about.starts_with("(Required)") {
            true => parameter["value"] = "{{position}}".into(),
            false => parameter["disabled"] = true.into(),
        }
    }
    for variable in request["url"]["variable"].as_array_mut().into_iter().flatten() {
        if variable["key"] == "position" {
            variable["value"] = "{{position}}".into();
        }
    }
}
