//! The same import through a server: the same log, decision for decision.

use serde_json::Value;

use super::shop::{Shop, import, options};
use super::{file, source};
use crate::client::{self, Client, Headers};
use crate::import::{Error, Remote, Source};
use crate::text::segment;

async fn remote(shop: &Shop) -> Remote {
    Remote::new(Client::new(&shop.serve().await).expect("an address"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gives_the_same_log_as_in_this_process() {
    let (here, there) = (Shop::open().await, Shop::open().await);
    let remote = remote(&there).await;
    let expected = import(options(Source::demo(), "90%"), &here.local()).await.expect("an import");
    let report = import(options(Source::demo(), "90%"), &remote).await.expect("an import over HTTP");
    assert_eq!(report.new_events, report.events);
    let report = crate::import::Report { seconds: expected.seconds, ..report };
    assert_eq!(report, expected);
    assert!(here.decisions().await == there.decisions().await, "the logs are equal, positions included");

    let again = import(options(Source::demo(), "90%"), &remote).await.expect("a second import");
    assert_eq!((again.new_events, again.orders_refused), (0, expected.orders_refused));
    let other = import(options(Source::demo(), "auto"), &remote).await;
    assert!(matches!(other, Err(Error::ImportedBefore(_))), "{other:?}");
}

#[tokio::test]
async fn stops_with_the_servers_words() {
    let shop = Shop::open().await;
    let target = remote(&shop).await;
    let returned = file(&["C1,10001,A,-5,2009-12-01 07:45:00,1,7,UK"]);
    import(options(source(returned), "auto"), &target).await.expect("an import");
    let beyond = file(&["2,10001,A,9007199254740991,2009-12-01 07:45:00,1,7,UK"]);
    let on_top = crate::import::Options { force: true, ..options(source(beyond), "auto") };
    let error = import(on_top, &target).await.expect_err("more than a ledger counts").to_string();
    assert!(
        error.starts_with("the import stopped at the command with the key online-retail:opening:"),
        "{error}"
    );
    assert!(error.contains("10001") && error.contains("again continues there"), "{error}");
}

#[tokio::test]
async fn the_client_reads_documents_and_refusals() {
    let shop = Shop::open().await;
    let client = Client::new(&format!("{}/", shop.serve().await)).expect("an address");
    let site: Value =
        client.put_json("/v1/sites/uk", &serde_json::json!({"name": "UK"})).await.expect("a site");
    assert_eq!(site["site"], "uk");
    let sites: Value = client.get_json("/v1/sites").await.expect("sites");
    assert!(sites["data"].is_array(), "{sites}");

    let path = format!("/v1/sites/{}/stock", segment("no such/site"));
    let error = client.get_json::<Value>(&path).await.expect_err("no such site");
    assert_eq!(error.code(), Some("validation-failed"), "{error}");
    let error = client.get_json::<Value>("/v1/sites/nowhere/stock").await.expect_err("no such site");
    assert_eq!(error.code(), Some("unknown-site"));
    let text = error.to_string();
    assert!(text.contains("answered 404") && text.contains("(unknown-site)"), "{text}");
    assert!(!error.is_unreachable());

    let order = serde_json::json!({"order_id": "1", "lines": [{"sku": "A", "quantity": 1}]});
    let error = client.post_json::<Value>("/v1/sites/uk/orders", Headers::new(), &order).await;
    assert_eq!(error.expect_err("no key").code(), Some("idempotency-key-missing"));
    let key = (crate::http::headers::IDEMPOTENCY_KEY, hyper::header::HeaderValue::from_static("k"));
    let error = client.post_json::<Value>("/v1/sites/uk/orders", vec![key], &order).await;
    assert_eq!(error.expect_err("no stock").code(), Some("insufficient-stock"));
}

#[tokio::test]
async fn the_client_says_why_an_address_does_not_work() {
    for address in ["", "127.0.0.1:7070", "ftp://host", "http://", "http://host/?a=b", "not an address"] {
        let error = Client::new(address).expect_err("no address");
        assert!(matches!(error, client::Error::Address(_)), "{address}: {error}");
    }
    assert!(Client::new("https://127.0.0.1:7070").is_ok());

    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = format!("http://{}", listener.local_addr().expect("an address"));
    drop(listener);
    let error = Client::new(&address)
        .expect("an address")
        .get_json::<Value>("/readyz")
        .await
        .expect_err("nobody there");
    assert!(error.is_unreachable() && error.to_string() == format!("{address} cannot be reached"), "{error}");
}

#[tokio::test]
async fn an_import_into_nowhere_says_that_nobody_answered() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = format!("http://{}", listener.local_addr().expect("an address"));
    drop(listener);
    let target = Remote::new(Client::new(&address).expect("an address"));
    let lines = file(&["1,10001,A,5,2009-12-01 07:45:00,1,7,UK"]);
    let error = import(options(source(lines), "auto"), &target).await.expect_err("nobody there");
    assert!(matches!(error, Error::Unanswered { .. }), "{error}");
}
