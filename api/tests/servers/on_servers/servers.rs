//! Servers that a test of faults kills and starts again, each used by one such test at a time; and a look into a topic.

use stockledger_log::conformance::server;
use tokio::process::Command;
use tokio::sync::{Mutex, MutexGuard};

static KAFKA3: Mutex<()> = Mutex::const_new(());
static KAFKA_FAULTY: Mutex<()> = Mutex::const_new(());
static MYSQL_FAULTY: Mutex<()> = Mutex::const_new(());

/// A server of which the test that holds this may do as it likes.
pub(crate) struct Faulty {
    name: &'static str,
    pub(crate) address: String,
    _alone: MutexGuard<'static, ()>,
}

impl Faulty {
    /// Three brokers.
    pub(crate) async fn kafka3() -> Self {
        Self::take("kafka3", "STOCKLEDGER_TEST_KAFKA3", &KAFKA3).await
    }

    /// One broker.
    pub(crate) async fn kafka() -> Self {
        Self::take("kafka-faulty", "STOCKLEDGER_TEST_KAFKA_FAULTY", &KAFKA_FAULTY).await
    }

    /// One MySQL.
    pub(crate) async fn mysql() -> Self {
        Self::take("mysql-faulty", "STOCKLEDGER_TEST_MYSQL_FAULTY", &MYSQL_FAULTY).await
    }

    async fn take(name: &'static str, variable: &str, lock: &'static Mutex<()>) -> Self {
        let faulty = Self { name, _alone: lock.lock().await, address: server(variable) };
        // A test before this one may have failed in the middle.
        faulty.start(None).await;
        faulty
    }

    /// As a crash would; of several members the one with this number, counted from 1. Returns when it is gone.
    pub(crate) async fn kill(&self, number: Option<usize>) {
        self.tell("kill", number).await;
    }

    /// Returns when it answers again.
    pub(crate) async fn start(&self, number: Option<usize>) {
        self.tell("start", number).await;
    }

    async fn tell(&self, what: &str, number: Option<usize>) {
        let mut command = Command::new(server("STOCKLEDGER_TEST_SERVICES"));
        command.args(["services", what, self.name]).args(number.map(|number| number.to_string()));
        let output = command.output().await.unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

/// What `kcat` prints.
pub(crate) async fn kcat(arguments: &[&str]) -> String {
    let output = Command::new("kcat").args(arguments).output().await.expect("kcat is installed");
    String::from_utf8_lossy(&output.stdout).into_owned()
}
