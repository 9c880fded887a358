//! What lines mean: the rules of the format, one by one.

use std::io::Write;

use stockledger_schemas::{Note, Reason};

use super::{HEADER, file, read};
use crate::import::online_retail::{Document, Input};

/// A document as a line of a table: its parts with SKU and number.
fn shown(input: &Input, document: &Document) -> String {
    let sku = |item: usize| input.items[item].sku.as_str();
    let mut text = document.invoice.to_string();
    for line in &document.receipt {
        text.push_str(&format!(" receipt {} {}", sku(line.item), line.quantity));
    }
    if let Some(adjustment) = &document.adjustment {
        let note = adjustment.note.as_ref().map_or("-", Note::as_str);
        text.push_str(&format!(" adjustment {} {note:?}", adjustment.reason));
        for line in &adjustment.lines {
            text.push_str(&format!(" {} {:+}", sku(line.item), line.delta));
        }
    }
    for line in &document.order {
        text.push_str(&format!(" order {} {} at {}", sku(line.item), line.quantity, line.unit_price_minor));
    }
    if let Some(customer) = &document.customer {
        text.push_str(&format!(" for {customer}"));
    }
    text
}

fn documents_of(lines: &[&str]) -> Vec<String> {
    let input = read(file(lines)).expect("a good file");
    input.documents.iter().map(|document| shown(&input, document)).collect()
}

#[test]
fn gives_each_line_its_part_of_the_document() {
    for (lines, expected) in [
        // An order, with its customer and its prices in pence.
        (
            &[
                "1,85048,BALL,12,2009-12-01 07:45:00,6.95,13085,UK",
                "1,22041,FRAME,48,2009-12-01 07:45:00,2.1,13085,UK",
            ][..],
            &["1 order 85048 12 at 695 order 22041 48 at 210 for 13085"][..],
        ),
        // The SKU is trimmed and upper case; equal SKUs of an order stay apart, the ledger adds them up.
        (
            &["1, 15056bl ,A,1,2009-12-01 07:45:00,1,7,UK", "1,15056BL,A,2,2009-12-01 07:45:00,1,7,UK"],
            &["1 order 15056BL 1 at 100 order 15056BL 2 at 100 for 7"],
        ),
        // What does not begin with five digits is not about goods, whatever else the line says.
        (
            &[
                "1,POST,POSTAGE,x,2009-12-01 07:45:00,y,7,UK",
                "1,85048,A,1,2009-12-01 07:45:00,1,7,UK",
                "A2,B,Adjust bad debt,1,2009-12-01 07:45:00,-53594.36,,UK",
            ],
            &["1 order 85048 1 at 100 for 7", "A2"],
        ),
        // A cancellation is goods that came back.
        (
            &[
                "C1,85048,A,-3,2009-12-01 07:45:00,1,7,UK",
                "C1,85048,A,-4,2009-12-01 07:45:00,1,7,UK",
                "C2,M,Manual,1,2009-12-01 07:45:00,1,7,UK",
            ],
            &["C1 receipt 85048 3 receipt 85048 4", "C2"],
        ),
        // Without customer and price, and below zero, are differences, netted per SKU; the rest is an order.
        (
            &[
                "1,10001,found,5,2009-12-01 07:45:00,0,,UK",
                "1,10002,x,-7,2009-12-01 07:45:00,0,,UK",
                "1,10001,x,-2,2009-12-01 07:45:00,1.5,7,UK",
                "1,10003,A,1,2009-12-01 07:45:00,0,7,UK",
                "1,10004,A,1,2009-12-01 07:45:00,0.5,,UK",
            ],
            &["1 adjustment found \"found\" 10001 +3 10002 -7 order 10003 1 at 0 order 10004 1 at 50 for 7"],
        ),
        // What nets to zero is left out; of this adjustment nothing is left.
        (
            &["1,10001,,5,2009-12-01 07:45:00,0,,UK", "1,10001,,-5,2009-12-01 07:45:00,0,,UK"],
            &["1 adjustment correction \"-\""],
        ),
        // The first description that is one gives reason and note.
        (
            &[
                "1,10001,  ,-5,2009-12-01 07:45:00,0,,UK",
                "1,10002, Damages ,-1,2009-12-01 07:45:00,0,,UK",
                "1,10003,lost,-1,2009-12-01 07:45:00,0,,UK",
            ],
            &["1 adjustment damaged \"Damages\" 10001 -5 10002 -1 10003 -1"],
        ),
        // A document stands where its first line stands, even if that line is not about goods.
        (
            &[
                "1,POST,,1,2009-12-01 07:45:00,1,,UK",
                "2,10001,A,1,2009-12-01 07:46:00,1,,UK",
                "1,10002,A,1,2009-12-01 07:47:00,1,,UK",
            ],
            &["1 order 10002 1 at 100", "2 order 10001 1 at 100"],
        ),
    ] {
        assert_eq!(documents_of(lines), expected, "{lines:#?}");
    }
}

#[test]
fn takes_the_time_of_the_first_line() {
    let input = read(file(&["1,POST,,1,2009-12-01 07:45:00,1,,UK", "1,10001,A,1,2009-12-01 07:46:00,1,,UK"]));
    assert_eq!(
        input.expect("a good file").documents[0].occurred_at.to_string(),
        "2009-12-01T07:45:00.000000Z"
    );
}

#[test]
fn counts_lines_and_names_items_by_their_first_description() {
    let long = format!("1,10003,{}é,1,2009-12-01 07:45:00,1,,UK", "x".repeat(199));
    let input = read(file(&[
        "1,10002,,1,2009-12-01 07:45:00,1,,UK",
        "1,10002, \"RED\u{1}  BAG\" ,1,2009-12-01 07:45:00,1,,UK",
        "1,10001,,1,2009-12-01 07:45:00,1,,UK",
        "1,DOT,POSTAGE,1,2009-12-01 07:45:00,1,,UK",
        &long,
    ]));
    let input = input.expect("a good file");
    assert_eq!((input.lines, input.skipped_lines), (5, 1));
    let names: Vec<_> =
        input.items.iter().map(|item| (item.sku.as_str(), item.name.as_ref().map(AsRef::as_ref))).collect();
    let cut = "x".repeat(199);
    assert_eq!(names, [("10002", Some("\"RED   BAG\"")), ("10001", None), ("10003", Some(cut.as_str()))]);
}

#[test]
fn cuts_a_note_to_what_the_ledger_takes() {
    let line = format!("1,10001,{},-1,2009-12-01 07:45:00,1,,UK", "lost and gone ".repeat(100));
    let input = read(file(&[&line])).expect("a good file");
    let adjustment = input.documents[0].adjustment.as_ref().expect("an adjustment");
    let note = adjustment.note.as_ref().expect("a note").as_str();
    assert!((490..=Note::BYTES_MAX).contains(&note.len()), "{}", note.len());
    assert_eq!(adjustment.reason, Reason::Shrinkage);
}

#[test]
fn reads_plain_and_packed_files_with_or_without_byte_order_mark() {
    let plain = file(&["1,10001,A,1,2009-12-01 07:45:00,1,,UK"]);
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    packed.write_all(&plain).expect("a write to memory");
    let packed = packed.finish().expect("a write to memory");
    let marked = [b"\xef\xbb\xbf".as_slice(), &plain].concat();
    let expected = read(plain).expect("a plain file");
    assert_eq!(read(packed).expect("a packed file"), expected, "the same content is the same input");
    let marked = read(marked).expect("a file with a mark");
    assert_eq!(marked.documents, expected.documents);
    assert_ne!(marked.sha256, expected.sha256);
}

#[test]
fn finds_columns_by_name() {
    let text = "Price,Customer ID,InvoiceDate,Quantity,Note, StockCode ,Description,Invoice\n\
                1.25,7,2009-12-01 07:45:00,3,whatever,10001,A,1\n";
    let input = read(text.as_bytes().to_vec()).expect("a good file");
    assert_eq!(shown(&input, &input.documents[0]), "1 order 10001 3 at 125 for 7");
}

#[test]
fn takes_a_file_without_lines() {
    let input = read(HEADER.as_bytes().to_vec()).expect("a good file");
    assert_eq!((input.lines, input.documents.len(), input.items.len()), (0, 0, 0));
}
