//! The wire to a browser: W3C WebDriver, which is JSON over HTTP, spoken with chromedriver.
//!
//! The crates that speak it are under a licence that this project does not take (MPL), or bring a second HTTP client; what
//! is needed of it is one function.

use std::process::Stdio;
use std::time::Duration;

use axum::body::Body;
use axum::http::{Method, Request};
use http_body_util::BodyExt;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

/// Nothing takes so long unless it hangs.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A running chromedriver. It and its browsers end when it is dropped.
pub(crate) struct Driver {
    child: Child,
    base: String,
    http: Client<HttpConnector, Body>,
}

impl Driver {
    pub(crate) async fn start() -> Self {
        let mut command = Command::new("chromedriver");
        command.arg("--port=0").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        // A group of its own, so that its browsers end with it.
        let spawned = command.process_group(0).kill_on_drop(true).spawn();
        let mut child =
            spawned.expect("chromedriver is there: `cargo xtask test` installs the package chromium-driver");
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let port = timeout(PATIENCE, async {
            loop {
                let line =
                    lines.next_line().await.unwrap().expect("chromedriver says on which port it answers");
                if let Some((_, port)) = line.split_once("started successfully on port ") {
                    return port.trim_end_matches('.').to_owned();
                }
            }
        });
        let base = format!("http://127.0.0.1:{}", port.await.expect("chromedriver starts in time"));
        // It goes on to be read, so that it never waits for a reader.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Self { child, base, http: Client::builder(TokioExecutor::new()).build_http() }
    }

    /// Has something done; the value of the answer, or the error in words.
    pub(crate) async fn call(&self, method: Method, path: &str, body: &Value) -> Result<Value, String> {
        let body = if method == Method::POST { body.to_string() } else { String::new() };
        let request = Request::builder().method(method).uri(format!("{}{path}", self.base));
        let request = request.header("content-type", "application/json").body(Body::from(body)).unwrap();
        let answer = async {
            let response = self.http.request(request).await.expect("chromedriver answers");
            let is_well = response.status().is_success();
            let bytes = response.into_body().collect().await.expect("an answer").to_bytes();
            (is_well, serde_json::from_slice::<Value>(&bytes).unwrap_or_default()["value"].clone())
        };
        let (is_well, value) = timeout(PATIENCE, answer).await.expect("an answer in time");
        if is_well { Ok(value) } else { Err(format!("{path}: {}: {}", value["error"], value["message"])) }
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Result<Value, String> {
        self.call(Method::POST, path, &body).await
    }

    pub(crate) async fn get(&self, path: &str) -> Result<Value, String> {
        self.call(Method::GET, path, &json!({})).await
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        if let Some(id) = self.child.id() {
            let kill = ["-KILL", "--", &format!("-{id}")];
            let _ = std::process::Command::new("kill").args(kill).stderr(Stdio::null()).status();
        }
    }
}
