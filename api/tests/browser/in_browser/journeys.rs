//! What people come for: look stock up, receive, sell, ship, and see how it came about.

use crate::browser::{Browser, ENTER, Scripts};
use crate::place::Place;

/// Looks stock up, now and then.
async fn look_up(browser: &Browser) {
    browser.go("/").await;
    browser.reads(&["On hand 1,205", "Refused orders 1"]).await;
    browser.follow("On hand").await;
    browser.fill("SKU begins with", "MU").await;
    browser.press("Show").await;
    browser.reads(&["MUG Coffee mug 1,198", "1 item shown"]).await;
    browser.follow("MUG").await;
    browser.reads(&["Why it is 1,198", "All movements add up", "3 damaged"]).await;
    browser.go("/ui/sites/uk/stock?as_of=2000-01-01T00%3A00").await;
    browser.reads(&["Nothing here matches."]).await;
    browser.follow("Show all").await;
    browser.reads(&["2 items shown"]).await;
}

/// Receives goods, twice by mistake, and looks at where they are.
async fn receive(browser: &Browser) {
    browser.go("/ui/sites/uk/stock").await;
    browser.follow("Receive").await;
    browser.choose("Reason", "Purchase").await;
    browser.fill("SKU of line 1", "TEA").await;
    browser.fill("Quantity of line 1", "5").await;
    browser.press("Receive").await;
    browser.reads(&["Stock received at position", "TEA +5 12 12"]).await;
    let told = browser.path().await;
    assert!(told.contains("?done="), "{told}");
    browser.reload().await;
    browser.reads(&["TEA +5 12 12"]).await;
    browser.follow("TEA").await;
    browser.comes_to_read("On hand 12").await;
}

/// Orders more than there is, is told so beside the line, and orders less.
async fn order(browser: &Browser) {
    browser.go("/ui/sites/uk/orders").await;
    browser.follow("Place an order").await;
    browser.fill("Order (needed)", "web-1").await;
    browser.fill("Customer", "Anna").await;
    browser.fill("SKU of line 1", "TEA").await;
    browser.fill("Quantity of line 1", "500").await;
    browser.press("Place the order").await;
    browser.reads(&["Insufficient stock.", "only 12 available", "receive goods first"]).await;
    assert_eq!(browser.value("Customer").await, "Anna");
    assert_eq!(browser.value("Quantity of line 1").await, "500");
    browser.fill("Order (needed)", "web-2").await;
    browser.fill("Quantity of line 1", "4").await;
    browser.press("Place the order").await;
    browser.reads(&["Order placed at position"]).await;
    browser.follow("Order web-2").await;
    browser.reads(&["Order web-2", "Anna", "Black tea"]).await;
}

/// Ships it, and goes from the order to the record in the log and to the person.
async fn ship_and_trace(browser: &Browser) {
    browser.go("/ui/sites/uk/orders/web-2").await;
    browser.follow("Ship").await;
    browser.reads(&["4 open"]).await;
    browser.press("Ship").await;
    browser.reads(&["Order shipped at position"]).await;
    browser.follow("Order web-2").await;
    browser.reads(&["Shipped", "Order placed", "Order shipped", "by local"]).await;
    browser.go("/ui/sites/uk/orders?status=refused").await;
    browser.follow("web-1").await;
    browser.reads(&["Refused", "Out of stock", "TEA 500 12"]).await;
    browser.go("/ui/events?order=web-2").await;
    browser.reads(&["Order shipped", "Order placed", "2 decisions shown"]).await;
    browser.go("/ui/sites/uk/stock/TEA").await;
    browser.follow("web-2").await;
    let trail = browser.text().await;
    assert!(trail.contains("by local"), "one click from a movement to a person: {trail}");
}

async fn journey(scripts: Scripts) {
    let place = Place::open().await;
    let browser = Browser::open(&place.url, scripts).await;
    look_up(&browser).await;
    receive(&browser).await;
    order(&browser).await;
    ship_and_trace(&browser).await;
    browser.close().await;
}

#[tokio::test]
async fn people_do_their_work_in_a_browser() {
    journey(Scripts::Run).await;
}

#[tokio::test]
async fn they_do_it_without_scripts() {
    journey(Scripts::Blocked).await;
}

#[tokio::test]
async fn they_do_it_with_the_keyboard_alone() {
    let place = Place::open().await;
    let browser = Browser::open(&place.url, Scripts::Run).await;
    browser.go("/ui").await;
    browser.tab_to("Skip to the content").await;
    browser.keys(ENTER).await;
    browser.tab_to("United Kingdom").await;
    browser.keys(ENTER).await;
    browser.reads(&["Stock at uk"]).await;
    browser.tab_to("Receive").await;
    browser.keys(ENTER).await;
    browser.tab_to("lines-0-sku").await;
    browser.keys("MUG").await;
    browser.tab_to("lines-0-quantity").await;
    browser.keys("2").await;
    browser.keys(ENTER).await;
    browser.reads(&["Stock received at position", "MUG +2"]).await;
    browser.tab_to("MUG").await;
    browser.keys(ENTER).await;
    browser.reads(&["Coffee mug", "Movements"]).await;
    browser.close().await;
}

#[tokio::test]
async fn going_back_and_pressing_again_is_not_done_twice() {
    let place = Place::open().await;
    let browser = Browser::open(&place.url, Scripts::Run).await;
    browser.go("/ui/sites/uk/receive").await;
    browser.fill("SKU of line 1", "JAM").await;
    browser.fill("Quantity of line 1", "5").await;
    // As fast as a browser sends it: two clicks on the same button.
    let twice = "const button = document.querySelector('form.sheet button'); button.click(); button.click();";
    browser.run(twice).await;
    browser.reads(&["Stock received at position", "JAM +5 5 5"]).await;
    browser.go("/ui/events?sku=JAM").await;
    browser.reads(&["1 decision shown"]).await;
    browser.back().await;
    browser.reads(&["JAM +5 5 5"]).await;
    browser.close().await;
}
