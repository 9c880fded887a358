//! Whether a page keeps anybody out: axe-core looks at each, in both themes, at the width of a desk and of a phone.
//!
//! Nothing may stand beyond the edge of the page either, which a phone would have to be moved to see.

use serde_json::Value;

use crate::browser::{Browser, Scripts};
use crate::place::Place;

/// Where axe-core is, of which `cargo xtask test` says so.
const AXE: &str = "STOCKLEDGER_TEST_AXE";
const WIDTHS: [u32; 2] = [1280, 390];

const PAGES: [&str; 32] = [
    "/ui",
    "/ui/sites",
    "/ui/items",
    "/ui/items/MUG",
    "/ui/sites/uk/stock",
    "/ui/sites/uk/stock?sku=none",
    "/ui/sites/uk/stock/MUG",
    "/ui/sites/uk/orders",
    "/ui/sites/uk/orders/o-1",
    "/ui/sites/uk/orders/o-2",
    "/ui/open-site",
    "/ui/register-item",
    "/ui/sites/uk/receive",
    "/ui/sites/uk/adjust",
    "/ui/sites/uk/count",
    "/ui/sites/uk/hold",
    "/ui/sites/uk/release",
    "/ui/sites/uk/note",
    "/ui/sites/uk/place-order",
    "/ui/sites/uk/orders/o-1/ship",
    "/ui/sites/uk/orders/o-1/return",
    "/ui/sites/uk/orders/o-1/cancel",
    "/ui/events",
    "/ui/events/0.1",
    "/ui/projections",
    "/ui/projections/rebuild",
    "/ui/audit",
    "/ui/account",
    "/ui/keys",
    "/ui/keys/new",
    "/ui/sign-in",
    "/ui/sites/nowhere/stock",
];

/// What axe finds on the page, in words.
async fn violations(browser: &Browser, axe: &str) -> Vec<String> {
    let run = "return axe.run(document, { resultTypes: ['violations'] }).then(found => found.violations.map(one => \
               one.id + ': ' + one.nodes.map(node => node.target.join(' ') + ' ' + node.failureSummary).join('; ')))";
    let found = browser.run(&format!("{axe};\n{run}")).await;
    found.as_array().unwrap().iter().map(|one| one.as_str().unwrap().to_owned()).collect()
}

/// What stands beyond the right edge of the page and cannot be scrolled to within a part of it.
async fn beyond_the_edge(browser: &Browser) -> Value {
    browser.run("return document.documentElement.scrollWidth - document.documentElement.clientWidth").await
}

/// Looks at the page at each width.
async fn look(browser: &Browser, axe: &str, what: &str, found: &mut Vec<String>) {
    for width in WIDTHS {
        browser.resize(width).await;
        found.extend(violations(browser, axe).await.iter().map(|one| format!("{what} at {width}: {one}")));
        let beyond = beyond_the_edge(browser).await;
        if beyond != 0 {
            found.push(format!("{what} at {width}: {beyond} pixels are beyond the edge"));
        }
    }
}

/// Orders so much of what there are seven of.
async fn order(browser: &Browser, quantity: &str) {
    browser.go("/ui/sites/uk/place-order").await;
    browser.fill("Order (needed)", &format!("order-of-{quantity}")).await;
    browser.fill("SKU of line 1", "TEA").await;
    browser.fill("Quantity of line 1", quantity).await;
    browser.press("Place the order").await;
}

async fn look_at_all(theme: &str) {
    let axe = std::env::var(AXE).unwrap_or_else(|_| {
        panic!("{AXE} is not set: run `cargo xtask test`, or name a file axe.min.js of the package axe-core")
    });
    let axe = std::fs::read_to_string(axe).unwrap();
    let place = Place::open().await;
    let browser = Browser::open(&place.url, Scripts::Run).await;
    browser.go("/ui/account").await;
    browser.press(theme).await;
    browser.go("/ui/account").await;
    let scheme = browser.run("return getComputedStyle(document.documentElement).colorScheme").await;
    assert_eq!(scheme, theme.to_lowercase());
    let mut found = Vec::new();
    for page in PAGES {
        browser.go(page).await;
        look(&browser, &axe, page, &mut found).await;
    }
    for (quantity, said) in [("0", "Mend what is marked"), ("900", "only 7 available"), ("1", "Order placed")]
    {
        order(&browser, quantity).await;
        browser.reads(&[said]).await;
        look(&browser, &axe, said, &mut found).await;
    }
    browser.go("/ui/audit").await;
    browser.press("Verify now").await;
    browser.comes_to_read("The log is whole").await;
    look(&browser, &axe, "a log that was verified", &mut found).await;
    assert!(found.is_empty(), "{}", found.join("\n"));
    browser.close().await;
}

#[tokio::test]
async fn no_page_keeps_anybody_out_in_the_light() {
    look_at_all("Light").await;
}

#[tokio::test]
async fn no_page_keeps_anybody_out_in_the_dark() {
    look_at_all("Dark").await;
}
