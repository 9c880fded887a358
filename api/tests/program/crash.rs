//! `kill -9` and SIGTERM under load: what was acknowledged is there once, and every retry gets its first answer.

use crate::load::{History, Load, open_site};
use crate::run::Server;

/// Acknowledgements before the server is struck; enough that it is in the middle of its work.
const ACKNOWLEDGED_MIN: usize = 200;

#[tokio::test(flavor = "multi_thread")]
async fn killed_under_load_it_loses_nothing_and_does_nothing_twice() {
    let directory = tempfile::tempdir().unwrap();
    let mut server = Server::start(directory.path()).await;
    open_site(&server).await;
    let mut all = History::default();
    for round in 0..4 {
        let load = Load::start(&round.to_string(), &[&server]);
        load.until_acknowledged(ACKNOWLEDGED_MIN).await;
        server.kill().await;
        all.extend(load.stop().await);
        server = Server::start(directory.path()).await;
    }
    assert!(all.refused(&[""]) > 0, "no command was in flight when the server was struck");
    all.check(&server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn terminated_under_load_it_ends_in_order_and_loses_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path()).await;
    open_site(&server).await;
    let load = Load::start("0", &[&server]);
    load.until_acknowledged(ACKNOWLEDGED_MIN).await;
    assert!(server.terminate().await, "exit code");
    let history = load.stop().await;

    history.check(&Server::start(directory.path()).await).await;
}
