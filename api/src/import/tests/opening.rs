//! Opening stock: the smallest that is enough, and parts of it.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::{file, naive, read};
use crate::import::OpeningStock;
use crate::import::opening::smallest;

fn opening_of(bytes: Vec<u8>, setting: &str) -> BTreeMap<String, i64> {
    let input = read(bytes).expect("a good file");
    let setting: OpeningStock = setting.parse().expect("an opening stock");
    let quantities = setting.quantities(&input).expect("small quantities");
    quantities
        .into_iter()
        .map(|(item, quantity)| (input.items[item].sku.to_string(), quantity.get()))
        .collect()
}

#[test]
fn reads_auto_and_whole_percentages() {
    for text in ["auto", "0%", "90%", "1000%"] {
        assert_eq!(text.parse::<OpeningStock>().expect("an opening stock").to_string(), text);
    }
    for text in ["", "%", "Auto", "90", "1001%", "-1%", "+5%", "90.5%", "90 %", "99999999999999999999%"] {
        let error = text.parse::<OpeningStock>().expect_err("not an opening stock").to_string();
        assert!(error.contains("auto, or a whole number from 0 to 1000 followed by %"), "{text}: {error}");
    }
}

#[test]
fn is_the_worst_shortage_of_each_sku_with_percentages_rounded_down() {
    let lines = || {
        file(&[
            "1,10001,A,7,2009-12-01 07:45:00,1,,UK",
            "C2,10001,A,-5,2009-12-01 07:45:00,1,,UK",
            "3,10001,A,4,2009-12-01 07:45:00,1,,UK",
            "4,10001,x,-4,2009-12-01 07:45:00,1,,UK",
            "5,10002,found,3,2009-12-01 07:45:00,0,,UK",
            "5,10002,A,3,2009-12-01 07:45:00,1,,UK",
        ])
    };
    for (setting, expected) in [("auto", 10), ("100%", 10), ("99%", 9), ("15%", 1), ("1000%", 100)] {
        let opening = opening_of(lines(), setting);
        assert_eq!(
            opening,
            BTreeMap::from([("10001".to_owned(), expected)]),
            "{setting}: 10002 is found before it is sold"
        );
    }
    assert!(opening_of(lines(), "9%").is_empty());
    assert!(opening_of(lines(), "0%").is_empty());
}

#[test]
fn refuses_more_of_an_item_than_a_ledger_counts() {
    let input = read(file(&["1,10001,A,9007199254740991,2009-12-01 07:45:00,1,,UK"])).expect("a good file");
    let ten_times: OpeningStock = "1000%".parse().expect("an opening stock");
    assert_eq!(ten_times.quantities(&input), Err(0));
    assert_eq!(smallest(&input), [9_007_199_254_740_991]);
}

/// A line of one of a few invoices about one of a few SKUs, in every way that a line can be.
fn lines() -> impl Strategy<Value = Vec<String>> {
    let line = (0..5_u8, 0..3_u8, 1..20_i64, any::<bool>(), any::<bool>(), any::<bool>());
    let text = |(invoice, sku, units, is_return, is_negative, is_paid): (u8, u8, i64, bool, bool, bool)| {
        let (prefix, units) =
            if is_return { ("C", -units) } else { ("", if is_negative { -units } else { units }) };
        let price = if is_paid { "1.5" } else { "0" };
        format!("{prefix}{invoice},1000{sku},A,{units},2009-12-01 07:45:00,{price},,UK")
    };
    proptest::collection::vec(line.prop_map(text), 0..25)
}

proptest! {
    #[test]
    fn is_enough_and_one_unit_less_of_anything_is_not(lines in lines()) {
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        let bytes = file(&lines);
        let (invoices, _) = naive::invoices(std::str::from_utf8(&bytes).expect("text"));
        let refused = |opening: &BTreeMap<String, i64>| {
            let sums = naive::simulate(&invoices, opening);
            sums.orders_refused + sums.adjustments_refused
        };
        let opening = opening_of(bytes, "auto");
        prop_assert_eq!(refused(&opening), 0);
        for sku in opening.keys() {
            let mut less = opening.clone();
            less.entry(sku.clone()).and_modify(|units| *units -= 1);
            prop_assert!(refused(&less) > 0, "{} of {} is more than enough", opening[sku], sku);
        }
    }
}
