//! What a person does with a browser: opens addresses, reads, fills forms in, presses buttons and keys.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{Instant, interval};

use crate::driver::{Driver, PATIENCE};

/// The name of a reference to an element (W3C WebDriver, 12.1).
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";
pub(crate) const TAB: &str = "\u{e004}";
pub(crate) const ENTER: &str = "\u{e007}";

/// Whether pages may run scripts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scripts {
    Run,
    Blocked,
}

/// A browser with one window, looking at one server.
pub(crate) struct Browser {
    driver: Driver,
    session: String,
    url: String,
}

impl Browser {
    pub(crate) async fn open(url: &str, scripts: Scripts) -> Self {
        let driver = Driver::start().await;
        let arguments = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--window-size=1280,900",
            "--blink-settings=preferredColorScheme=1",
        ];
        let prefs = match scripts {
            Scripts::Run => json!({}),
            Scripts::Blocked => json!({ "profile.managed_default_content_settings.javascript": 2 }),
        };
        let capabilities = json!({ "capabilities": { "alwaysMatch": {
            "goog:chromeOptions": { "args": arguments, "prefs": prefs },
            "goog:loggingPrefs": { "browser": "ALL" },
        } } });
        let session = driver.post("/session", capabilities).await.expect("a browser starts");
        let session = format!("/session/{}", session["sessionId"].as_str().unwrap());
        Self { driver, session, url: url.to_owned() }
    }

    async fn post(&self, what: &str, body: Value) -> Result<Value, String> {
        self.driver.post(&format!("{}/{what}", self.session), body).await
    }

    async fn get(&self, what: &str) -> Result<Value, String> {
        self.driver.get(&format!("{}/{what}", self.session)).await
    }

    /// Opens an address of the server.
    pub(crate) async fn go(&self, path: &str) {
        self.post("url", json!({ "url": format!("{}{path}", self.url) })).await.unwrap();
    }

    /// The path and query of the page.
    pub(crate) async fn path(&self) -> String {
        let url = self.get("url").await.unwrap();
        url.as_str().unwrap().strip_prefix(&self.url).expect("a page of the server").to_owned()
    }

    pub(crate) async fn reload(&self) {
        self.post("refresh", json!({})).await.unwrap();
    }

    pub(crate) async fn back(&self) {
        self.post("back", json!({})).await.unwrap();
    }

    /// The one element that a way leads to, as soon as it is there.
    async fn find(&self, using: &str, value: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        let mut again = interval(Duration::from_millis(20));
        loop {
            match self.post("element", json!({ "using": using, "value": value })).await {
                Ok(element) => return element[ELEMENT].as_str().unwrap().to_owned(),
                Err(error) if Instant::now() >= deadline => {
                    panic!("{value} is not on {}: {error}", self.path().await)
                }
                Err(_) => again.tick().await,
            };
        }
    }

    async fn click(&self, element: &str) {
        self.post(&format!("element/{element}/click"), json!({})).await.unwrap();
    }

    /// Follows the first link with this text, alone or beside others.
    pub(crate) async fn follow(&self, text: &str) {
        let way = format!("//a[normalize-space()='{text}' or .//*[normalize-space()='{text}']]");
        let link = self.find("xpath", &way).await;
        self.click(&link).await;
    }

    /// Presses the button with this text.
    pub(crate) async fn press(&self, text: &str) {
        let button = self.find("xpath", &format!("//button[normalize-space()='{text}']")).await;
        self.click(&button).await;
    }

    /// Fills the field with this label in.
    pub(crate) async fn fill(&self, label: &str, text: &str) {
        let field = self.find("xpath", &labelled(label)).await;
        self.post(&format!("element/{field}/clear"), json!({})).await.unwrap();
        self.post(&format!("element/{field}/value"), json!({ "text": text })).await.unwrap();
    }

    /// Chooses what is shown as `choice` in the field with this label.
    pub(crate) async fn choose(&self, label: &str, choice: &str) {
        let option = format!("{}/option[normalize-space()='{choice}']", labelled(label));
        let option = self.find("xpath", &option).await;
        self.click(&option).await;
    }

    /// What stands in the field with this label.
    pub(crate) async fn value(&self, label: &str) -> String {
        let field = self.find("xpath", &labelled(label)).await;
        let value = self.get(&format!("element/{field}/property/value")).await.unwrap();
        value.as_str().unwrap_or_default().to_owned()
    }

    /// Presses keys, wherever the focus is.
    pub(crate) async fn keys(&self, keys: &str) {
        let presses = keys
            .chars()
            .flat_map(|key| ["keyDown", "keyUp"].map(|what| json!({ "type": what, "value": key })));
        let keyboard = json!({ "type": "key", "id": "keyboard", "actions": presses.collect::<Vec<_>>() });
        self.post("actions", json!({ "actions": [keyboard] })).await.unwrap();
    }

    /// The text and the id of what has the focus.
    pub(crate) async fn focused(&self) -> (String, String) {
        let element = self.get("element/active").await.unwrap()[ELEMENT].as_str().unwrap().to_owned();
        let text = self.get(&format!("element/{element}/text")).await.unwrap();
        let id = self.get(&format!("element/{element}/property/id")).await.unwrap();
        (text.as_str().unwrap_or_default().trim().to_owned(), id.as_str().unwrap_or_default().to_owned())
    }

    /// Goes on with the tabulator until what has this text or id has the focus.
    pub(crate) async fn tab_to(&self, what: &str) {
        let mut met = Vec::new();
        for _ in 0..80 {
            self.keys(TAB).await;
            let (text, id) = self.focused().await;
            if text == what || id == what {
                return;
            }
            met.push(if id.is_empty() { text } else { id });
        }
        panic!("the keyboard never comes to {what} on {}: {met:?}", self.path().await);
    }

    /// What a person reads on the page.
    pub(crate) async fn text(&self) -> String {
        let body = self.find("css selector", "body").await;
        let text = self.get(&format!("element/{body}/text")).await;
        // The page may just be changing.
        text.ok().and_then(|text| text.as_str().map(str::to_owned)).unwrap_or_default()
    }

    /// The same with one space wherever there is space.
    async fn folded_text(&self) -> String {
        self.text().await.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// Waits until the page says all of this.
    pub(crate) async fn reads(&self, said: &[&str]) {
        let deadline = Instant::now() + PATIENCE;
        let mut again = interval(Duration::from_millis(20));
        loop {
            let folded = self.folded_text().await;
            let missing: Vec<&&str> = said.iter().filter(|one| !folded.contains(**one)).collect();
            if missing.is_empty() {
                return;
            }
            assert!(Instant::now() < deadline, "{missing:?} is not on {}: {folded}", self.path().await);
            again.tick().await;
        }
    }

    /// The same, loading the page again until it does: for what is read from tables that follow.
    pub(crate) async fn comes_to_read(&self, said: &str) {
        let deadline = Instant::now() + PATIENCE;
        while !self.folded_text().await.contains(said) {
            assert!(Instant::now() < deadline, "{said} never comes to {}", self.path().await);
            self.reload().await;
        }
    }

    /// Runs a script in the page; its value, or that of its promise.
    pub(crate) async fn run(&self, script: &str) -> Value {
        self.post("execute/sync", json!({ "script": script, "args": [] })).await.unwrap()
    }

    /// Makes the page this wide.
    pub(crate) async fn resize(&self, width: u32) {
        let metrics = json!({ "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false });
        let command = json!({ "cmd": "Emulation.setDeviceMetricsOverride", "params": metrics });
        self.post("goog/cdp/execute", command).await.unwrap();
    }

    /// What the browser complained of since it was asked last, but for answers that are not successes, which it tells too.
    pub(crate) async fn complaints(&self) -> Vec<String> {
        let log = self.post("se/log", json!({ "type": "browser" })).await.unwrap();
        let lines = log
            .as_array()
            .unwrap()
            .iter()
            .map(|line| line["message"].as_str().unwrap_or_default().to_owned());
        lines.filter(|line| !line.contains("the server responded with a status of")).collect()
    }

    /// Ends the browser, which must have had nothing to complain of.
    pub(crate) async fn close(self) {
        assert_eq!(self.complaints().await, Vec::<String>::new());
        self.driver.call(axum::http::Method::DELETE, &self.session, &json!({})).await.unwrap();
    }
}

/// The way to a field by what its label says.
fn labelled(label: &str) -> String {
    format!("//*[@id=//label[normalize-space()='{label}']/@for]")
}
