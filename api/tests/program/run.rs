//! Running the program, and a server of it.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Output, Stdio};
use std::time::Duration;

use serde_json::Value;
use stockledger::client::Client;
use tokio::process::{Child, Command};
use tokio::time::{Instant, interval};

/// Nothing in these tests takes so long unless it hangs.
pub(crate) const DEADLINE: Duration = Duration::from_secs(120);

/// The program, deaf to the environment that the tests run in.
pub(crate) fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stockledger"));
    command.args(arguments).stdin(Stdio::null()).kill_on_drop(true);
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("STOCKLEDGER_")) {
        command.env_remove(name);
    }
    command
}

/// Runs the program to its end.
pub(crate) async fn run(arguments: &[&str]) -> Output {
    tokio::time::timeout(DEADLINE, program(arguments).output()).await.expect("the program hangs").unwrap()
}

/// What a run printed as data; the run must have gone well.
pub(crate) async fn data(arguments: &[&str]) -> String {
    let output = run(arguments).await;
    assert!(output.status.success(), "{arguments:?}: {}", complaint(&output));
    String::from_utf8(output.stdout).unwrap()
}

/// The same, as JSON.
pub(crate) async fn json(arguments: &[&str]) -> Value {
    let arguments: Vec<&str> = arguments.iter().copied().chain(["--format", "json"]).collect();
    serde_json::from_str(&data(&arguments).await).unwrap()
}

/// What a run printed as JSON, a value in each line.
pub(crate) async fn json_lines(arguments: &[&str]) -> Vec<Value> {
    let arguments: Vec<&str> = arguments.iter().copied().chain(["--format", "json"]).collect();
    data(&arguments).await.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// What came of a run that tells its progress in lines of JSON: the last of them.
pub(crate) async fn outcome(arguments: &[&str]) -> Value {
    json_lines(arguments).await.pop().expect("a line")
}

/// What a run said beside its data.
pub(crate) fn complaint(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Asserts that a set-up is refused by these codes, for people and for programs; says what was said.
pub(crate) async fn refused(arguments: &[&str], codes: &[&str]) -> String {
    let output = run(arguments).await;
    let said = complaint(&output);
    assert_eq!(output.status.code(), Some(6), "{arguments:?}: {said}");
    assert!(said.contains(&format!("error[{}]: ", codes.join(","))), "{codes:?}: {said}");
    let output = run(&[arguments, &["--format", "json"]].concat()).await;
    let for_programs = complaint(&output);
    let error: Value = serde_json::from_str(for_programs.lines().last().unwrap()).unwrap();
    assert_eq!(
        (&error["codes"], &error["exit_code"]),
        (&serde_json::json!(codes), &serde_json::json!(6)),
        "{for_programs}"
    );
    said
}

/// A path as an argument.
pub(crate) fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// A running server.
pub(crate) struct Server {
    pub(crate) url: String,
    pub(crate) client: Client,
    child: Child,
}

impl Server {
    /// Starts a server on a free port and waits until it is ready.
    pub(crate) async fn start(data_dir: &Path) -> Self {
        Self::start_with(&["--data-dir", text(data_dir)]).await
    }

    /// The same, with these settings.
    pub(crate) async fn start_with(settings: &[&str]) -> Self {
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        Self::start_at(&address, settings).await
    }

    /// The same, at this address.
    pub(crate) async fn start_at(address: &str, settings: &[&str]) -> Self {
        let child = program(&[&["serve", "--listen", address], settings].concat())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let url = format!("http://{address}");
        let client = Client::new(&url).unwrap();
        let server = Self { url, client, child };
        until(async || server.client.get_json::<Value>("/readyz").await.is_ok()).await;
        server
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id().unwrap()
    }

    /// As a power cut would, but for what the system has buffered.
    pub(crate) async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }

    /// As a supervisor does; says whether it ended in order.
    pub(crate) async fn terminate(mut self) -> bool {
        let pid = self.pid().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().await.unwrap().success());
        tokio::time::timeout(DEADLINE, self.child.wait()).await.expect("it does not end").unwrap().success()
    }
}

/// Waits for a condition, with a deadline.
pub(crate) async fn until(mut is_met: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    let mut again = interval(Duration::from_millis(20));
    while !is_met().await {
        assert!(Instant::now() < deadline, "the condition was never met");
        again.tick().await;
    }
}
