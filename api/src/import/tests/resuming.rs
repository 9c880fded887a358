//! Importing again: after the end, after a crash, from another file, by force.

use super::shop::{Dying, Shop, import, options};
use super::{file, source};
use crate::import::{Error, Options, Report, Source};

/// Numbers that must not change from run to run.
fn without_run(report: &Report) -> Report {
    Report { new_events: 0, seconds: 0.0, was_begun_before: false, ..report.clone() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_run_changes_nothing_and_says_so() {
    let shop = Shop::open().await;
    let first = import(options(Source::demo(), "90%"), &shop.local()).await.expect("an import");
    let before = shop.decisions().await;
    let forced = Options { force: true, ..options(Source::demo(), "90%") };
    for again in [options(Source::demo(), "90%"), forced] {
        let report = import(again, &shop.local()).await.expect("a second import");
        assert_eq!(report.new_events, 0);
        assert!(
            report.is_replay() && report.summary().contains("nothing has changed"),
            "{}",
            report.summary()
        );
        assert_eq!(without_run(&report), without_run(&first));
    }
    assert!(shop.decisions().await == before, "the log is as it was");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_import_that_was_killed_and_continued_equals_one_that_was_not() {
    let whole = Shop::open().await;
    let expected = import(options(Source::demo(), "90%"), &whole.local()).await.expect("an import");
    let decisions = whole.decisions().await;
    let broken = Shop::open().await;
    for chunks in [1, 4, 9, 14] {
        let dying = Dying::after(chunks, broken.local());
        let error = import(options(Source::demo(), "90%"), &dying).await.expect_err("it was killed");
        assert!(matches!(error, Error::Unanswered { .. }), "{error}");
        assert!(error.to_string().contains("running the same import again continues there"), "{error}");
        let so_far = broken.decisions().await;
        assert!(so_far.len() < decisions.len() && decisions.starts_with(&so_far), "after {chunks} chunks");
    }
    let continued = import(options(Source::demo(), "90%"), &broken.local()).await.expect("the rest");
    assert!(continued.new_events > 0 && continued.new_events < continued.events);
    assert_eq!(without_run(&continued), without_run(&expected));
    assert!(broken.decisions().await == decisions, "the logs are equal");
}

const MONDAY: &[&str] = &[
    "1,10001,A,5,2009-12-01 07:45:00,1,7,UK",
    "C2,10001,A,-2,2009-12-01 08:00:00,1,7,UK",
    "3,10002,damages,-1,2009-12-01 09:00:00,0,,UK",
];
const MONDAY_AND_TUESDAY: &[&str] = &[
    "1,10001,A,5,2009-12-01 07:45:00,1,7,UK",
    "C2,10001,A,-2,2009-12-01 08:00:00,1,7,UK",
    "3,10002,damages,-1,2009-12-01 09:00:00,0,,UK",
    "4,10001,A,3,2009-12-02 07:45:00,1,7,UK",
];

#[tokio::test]
async fn refuses_another_file_and_another_opening_stock_without_changing_anything() {
    let shop = Shop::open().await;
    import(options(source(file(MONDAY)), "auto"), &shop.local()).await.expect("an import");
    let before = shop.decisions().await;
    for other in [options(source(file(MONDAY_AND_TUESDAY)), "auto"), options(source(file(MONDAY)), "100%")] {
        let error = import(other, &shop.local()).await.expect_err("another import").to_string();
        let expected = "site uk was imported before from another file or with another opening stock; \
                        use --force to import on top";
        assert_eq!(error, expected);
    }
    assert!(shop.decisions().await == before, "the log is as it was");
}

#[tokio::test]
async fn imports_another_file_on_top_by_force_and_leaves_known_invoices_alone() {
    let shop = Shop::open().await;
    import(options(source(file(MONDAY)), "auto"), &shop.local()).await.expect("an import");
    let before = shop.decisions().await;
    let forced = || Options { force: true, ..options(source(file(MONDAY_AND_TUESDAY)), "auto") };
    let report = import(forced(), &shop.local()).await.expect("a forced import");
    assert_eq!((report.orders_shipped, report.units_shipped, report.already_imported), (1, 3, 3));
    assert!(
        report.summary().contains("3 parts of invoices that came with another file"),
        "{}",
        report.summary()
    );
    assert_eq!(report.units_on_hand, 2 + 7 - 3, "what was left, another opening, and one order");
    let after = shop.decisions().await;
    assert!(after.starts_with(&before));
    let keys: Vec<_> = after[before.len()..].iter().filter_map(|decision| decision.key.as_ref()).collect();
    let tag = tag(&after[before.len()].context);
    let expected = [
        format!("online-retail:import:{tag}:auto"),
        format!("online-retail:opening:{tag}:auto:1"),
        "online-retail:4:order".to_owned(),
        "online-retail:4:shipment".to_owned(),
    ];
    assert_eq!(keys.iter().map(|key| key.as_str()).collect::<Vec<_>>(), expected);

    let again = import(forced(), &shop.local()).await.expect("the forced import again");
    assert_eq!(again.new_events, 0);
    assert_eq!(without_run(&again), without_run(&report));
    let first =
        import(options(source(file(MONDAY)), "auto"), &shop.local()).await.expect("the first import again");
    assert_eq!(first.new_events, 0);
}

/// What tells the file from others: the end of the correlation id.
fn tag(context: &stockledger_schemas::Context) -> String {
    let correlation_id = context.correlation_id.as_ref().expect("a correlation id").as_str();
    correlation_id.trim_start_matches("online-retail:").to_owned()
}

#[tokio::test]
async fn force_on_a_site_that_nobody_imported_is_an_import_as_any_other() {
    let (plain, forced) = (Shop::open().await, Shop::open().await);
    import(options(source(file(MONDAY)), "auto"), &plain.local()).await.expect("an import");
    let force = Options { force: true, ..options(source(file(MONDAY)), "auto") };
    import(force, &forced.local()).await.expect("a forced import");
    assert_eq!(forced.decisions().await, plain.decisions().await);
    let other = options(source(file(MONDAY_AND_TUESDAY)), "auto");
    assert!(matches!(import(other, &forced.local()).await, Err(Error::ImportedBefore(_))));
}

#[tokio::test]
async fn stops_at_what_the_ledger_refuses_for_another_reason_and_says_where() {
    let shop = Shop::open().await;
    import(options(source(file(MONDAY)), "auto"), &shop.local()).await.expect("an import");
    let mut elsewhere = options(source(file(MONDAY_AND_TUESDAY)), "auto");
    elsewhere.site = "elsewhere".parse().expect("a site");
    let report = import(elsewhere, &shop.local()).await.expect("keys and order ids belong to a site");
    assert_eq!(report.orders_shipped, 2);

    let beyond = file(&["9,10001,A,9007199254740991,2009-12-01 07:45:00,1,7,UK"]);
    let on_top = Options { force: true, ..options(source(beyond), "auto") };
    let error = import(on_top, &shop.local()).await.expect_err("more than a ledger counts").to_string();
    assert!(
        error.starts_with("the import stopped at the command with the key online-retail:opening:"),
        "{error}"
    );
    assert!(error.contains("quantity_limit") && error.contains("again continues there"), "{error}");
}

#[tokio::test]
async fn a_bad_file_changes_nothing() {
    let shop = Shop::open().await;
    let bad = file(&["1,10001,A,5,2009-12-01 07:45:00,1,7,UK", "2,10001,A,x,2009-12-01 07:45:00,1,7,UK"]);
    let error = import(options(source(bad), "auto"), &shop.local()).await.expect_err("a bad file");
    assert!(matches!(error, Error::Input(_)), "{error}");
    assert_eq!(shop.decisions().await, []);
}
