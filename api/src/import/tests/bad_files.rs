//! Files that are not as they must be: each is one precise message, and no bytes at all make the reader panic.

use proptest::prelude::*;

use super::{HEADER, file, read};
use crate::import::OpeningStock;
use crate::import::opening::smallest;

fn message(bytes: Vec<u8>) -> String {
    read(bytes).expect_err("a bad file").to_string()
}

#[test]
fn names_file_line_column_and_what_is_expected() {
    const GOOD: &str = "1,10001,A,1,2009-12-01 07:45:00,1.25,7,UK";
    let long = format!("1,1000{},A,1,2009-12-01 07:45:00,1,7,UK", "1".repeat(70));
    for (line, expected) in [
        (
            ",10001,A,1,2009-12-01 07:45:00,1.25,7,UK",
            "column Invoice: an order_id must be 1 to 64 printable ASCII",
        ),
        (
            "1,10001,A,,2009-12-01 07:45:00,1.25,7,UK",
            "column Quantity: a quantity must be a whole number other than 0",
        ),
        (
            "1,10001,A,0,2009-12-01 07:45:00,1.25,7,UK",
            "other than 0, from -9007199254740991 to 9007199254740991, not \"0\"",
        ),
        ("1,10001,A,1.5,2009-12-01 07:45:00,1.25,7,UK", "not \"1.5\""),
        ("1,10001,A,9007199254740992,2009-12-01 07:45:00,1.25,7,UK", "not \"9007199254740992\""),
        ("1,10001,A,1,01/12/2009 07:45,1.25,7,UK", "column InvoiceDate: a date must be YYYY-MM-DD HH:MM:SS"),
        ("1,POST,A,1,yesterday,1.25,7,UK", "column InvoiceDate"),
        (
            "1,10001,A,1,2009-12-01 07:45:00,1.255,7,UK",
            "column Price: a price of goods must be 0 or more with at most 2 decimals",
        ),
        ("1,10001,A,1,2009-12-01 07:45:00,-1.25,7,UK", "column Price: a price of goods must be 0 or more"),
        ("1,10001,A,1,2009-12-01 07:45:00,,7,UK", "not \"\""),
        ("1,10001,A,1,2009-12-01 07:45:00,1.25,a\u{e9}b,UK", "column Customer ID: a customer must be"),
        ("1,10001\u{e9},A,1,2009-12-01 07:45:00,1.25,7,UK", "column StockCode: a sku must be"),
        (&long, "column StockCode: a sku must be 1 to 64 printable ASCII characters"),
        (
            "C1,10001,A,1,2009-12-01 07:45:00,1.25,7,UK",
            "column Quantity: a quantity of a cancellation, whose invoice begins with C, must be below 0, not 1",
        ),
        (
            "1,10001,A,9007199254740991,2009-12-01 07:45:00,1.25,7,UK",
            "all quantities of the file together must not be more than 9007199254740991",
        ),
        ("1,10001,A,1,2009-12-01 07:45:00", "it has 5 columns, the header has 8"),
        ("1,10001,A,1,2009-12-01 07:45:00,1.25,7,UK,more", "it has 9 columns, the header has 8"),
    ] {
        let message = message(file(&[GOOD, line, GOOD]));
        assert!(message.starts_with("test.csv, line 3"), "{message}");
        assert!(message.contains(expected), "{message}\ndoes not contain\n{expected}");
    }
}

#[test]
fn counts_lines_inside_of_quotes() {
    let message = message(file(&[
        "1,10001,\"two\nlines\",1,2009-12-01 07:45:00,1,7,UK",
        "2,10001,A,x,2009-12-01 07:45:00,1,7,UK",
    ]));
    assert!(message.starts_with("test.csv, line 4, column Quantity"), "{message}");
}

#[test]
fn refuses_a_header_without_one_of_the_columns() {
    for column in ["Invoice", "StockCode", "Description", "Quantity", "InvoiceDate", "Price", "Customer ID"] {
        let header = HEADER.replacen(column, "Other", 1);
        let message = message(header.into_bytes());
        assert!(message.contains(&format!("line 1: the header has no column {column};")), "{message}");
    }
    assert!(message(Vec::new()).contains("the header has no column Invoice"));
}

#[test]
fn refuses_more_lines_in_one_part_than_the_ledger_takes() {
    for (invoice, quantity, price, part) in [
        ("7", 1, "1", "the order"),
        ("7", -1, "1", "the adjustment"),
        ("7", 1, "0", "the adjustment"),
        ("C7", -1, "1", "the return"),
    ] {
        let line = |number: usize| {
            format!("{invoice},{},A,{quantity},2009-12-01 07:45:00,{price},,UK", 10_000 + number)
        };
        let lines: Vec<String> = (0..2_001).map(line).collect();
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        assert!(read(file(&lines[..2_000])).is_ok(), "{part}");
        let expected = format!(
            "test.csv, line 2: {part} of invoice {invoice} has 2001 lines; the ledger takes at most 2000 at once"
        );
        assert_eq!(message(file(&lines)), expected);
    }
}

#[test]
fn refuses_a_file_that_is_not_there_or_not_gzip_to_its_end() {
    let gone = crate::import::Source::File("/nowhere/at/all.csv".into());
    let error = crate::import::online_retail::read(&gone).expect_err("no such file");
    assert_eq!(error.to_string(), "reading /nowhere/at/all.csv");
    let mut packed = include_bytes!("../../../data/online-retail-2009-12.csv.gz").to_vec();
    packed.truncate(packed.len() / 2);
    assert_eq!(message(packed), "reading test.csv");
}

/// Cells that are nearly right, so that a random file comes further than its first line.
fn cells() -> impl Strategy<Value = String> {
    let cell = prop_oneof![
        Just(String::new()),
        "[0-9]{5}[A-Z]?",
        "C?[0-9]{1,3}",
        "-?[0-9]{1,17}",
        "-?[0-9]{1,4}\\.[0-9]{0,3}",
        Just("2009-12-01 07:45:00".to_owned()),
        "\\PC{0,8}",
        "\"?[\\x00-\\x7f]{0,6}\"?",
    ];
    proptest::collection::vec(cell, 0..10).prop_map(|cells| cells.join(","))
}

proptest! {
    #[test]
    fn never_panics_on_any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        if let Ok(input) = read(bytes) {
            prop_assert!(input.documents.len() as u64 <= input.lines);
        }
    }

    #[test]
    fn never_panics_on_packed_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let packed = [&[0x1f, 0x8b], bytes.as_slice()].concat();
        prop_assert!(read(packed).is_err());
    }

    #[test]
    fn never_panics_on_lines_that_are_nearly_right(lines in proptest::collection::vec(cells(), 0..6)) {
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        if let Ok(input) = read(file(&lines)) {
            prop_assert_eq!(smallest(&input).len(), input.items.len());
            prop_assert!(OpeningStock::Auto.quantities(&input).is_ok());
        }
    }
}
