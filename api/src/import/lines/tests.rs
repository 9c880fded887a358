//! What a file says, command by command.

use std::io::Cursor;

use serde_json::{Value, json};
use stockledger_schemas::Hash;

use super::csv::Rows;
use super::read::{Input, Item};
use super::{Form, TEMPLATES};
use crate::http::check_bulk_line;

fn said(item: Item) -> (u64, Result<Value, String>) {
    match item {
        Item::Command(command) => (command.line, Ok(serde_json::from_slice(&command.json).unwrap())),
        Item::Bad { line, detail } => (line, Err(detail)),
        Item::Broken(error) => panic!("{error}"),
    }
}

fn rows(text: &str) -> Vec<(u64, Result<Value, String>)> {
    Rows::new(Cursor::new(text.to_owned())).unwrap().map(said).collect()
}

fn refused_header(text: &str) -> String {
    Rows::new(Cursor::new(text.to_owned())).err().unwrap().to_string()
}

fn input(text: &str, form: Form) -> (Input, tempfile::TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("commands");
    std::fs::write(&path, text).unwrap();
    (Input::open(&path, form).unwrap(), directory)
}

fn items(text: &str) -> Vec<(u64, Result<Value, String>)> {
    let (input, _directory) = input(text, Form::Ndjson);
    input.items(&Hash([0xab; 32])).unwrap().map(said).collect()
}

#[test]
fn the_example_of_every_template_is_a_command_that_can_be_sent() {
    for template in &TEMPLATES {
        let (input, _directory) = input(&template.csv().unwrap(), Form::Csv);
        let items: Vec<Item> = input.items(&Hash([0; 32])).unwrap().collect();
        assert_eq!(items.len(), 1, "{}: its rows are one command", template.name);
        let Item::Command(command) = &items[0] else { panic!("{}: {items:?}", template.name) };
        assert_eq!(check_bulk_line(&command.json), Ok(()), "{}", template.name);
    }
}

#[test]
fn rows_that_something_holds_together_are_one_command() {
    let text = "command,site,order_id,sku,quantity,reference_id,reference_type,reason,customer\n\
                place_order,uk,1,A,2,,,,c\n\
                place_order,uk,1,B,3,,,,c\n\
                place_order,uk,2,A,1,,,,c\n\
                place_order,uk,2,A,1,,,,d\n\
                receive_stock,uk,,A,5,DN-1,delivery,purchase,\n\
                receive_stock,uk,,B,6,DN-1,delivery,purchase,\n\
                receive_stock,uk,,A,7,,,,\n\
                receive_stock,uk,,A,8,,,,\n\
                ship_order,uk,1,,,,,,\n";
    let told: Vec<(u64, Value, Option<usize>)> = rows(text)
        .into_iter()
        .map(|(line, row)| {
            let row = row.unwrap();
            let lines = row["body"]["lines"].as_array().map(Vec::len);
            (line, row["command"].clone(), lines)
        })
        .collect();
    let expected = [
        (2, json!("place_order"), Some(2)),
        (4, json!("place_order"), Some(1)),
        (5, json!("place_order"), Some(1)),
        (6, json!("receive_stock"), Some(2)),
        (8, json!("receive_stock"), Some(1)),
        (9, json!("receive_stock"), Some(1)),
        (10, json!("ship_order"), None),
    ];
    assert_eq!(told, expected);
    let order = rows(text).remove(0).1.unwrap();
    let lines = json!([{ "sku": "A", "quantity": 2 }, { "sku": "B", "quantity": 3 }]);
    assert_eq!(
        order,
        json!({
            "command": "place_order", "site": "uk",
            "body": { "order_id": "1", "customer": "c", "lines": lines },
        })
    );
    let receipt = rows(text).remove(3).1.unwrap();
    assert_eq!(receipt["body"]["reference"], json!({ "type": "delivery", "id": "DN-1" }));
}

#[test]
fn a_bad_row_is_named_with_its_line_and_what_is_wrong() {
    let text = "command,site,sku,quantity,customer\n\
                receive_stock,uk,A,many,\n\
                receive_stok,uk,A,1,\n\
                receive_stock,uk,A,1,me\n\
                receive_stock,uk,A\n\
                ,uk,A,1,\n\
                receive_stock,uk,A,1,\n";
    let told = rows(text);
    let words = [
        (2, "column quantity: \"many\" is not a whole number"),
        (3, "column command: \"receive_stok\" is none; the commands are open_site,"),
        (4, "column customer: receive_stock has none"),
        (5, "it has 3 cells, but the header has 5"),
        (6, "column command: it is empty"),
    ];
    for ((line, words), (found, detail)) in words.iter().zip(&told) {
        assert_eq!(line, found);
        let detail = detail.as_ref().unwrap_err();
        assert!(detail.starts_with(words), "{detail}");
    }
    assert!(told[5].1.is_ok(), "{:?}", told[5]);
    assert_eq!(told.len(), 6);
}

#[test]
fn a_header_that_is_none_is_refused() {
    for (header, words) in [
        ("command,site,sku,quantiti\n", "did you mean quantity?"),
        ("command,xyzzy\n", "the columns are command, site,"),
        ("site,sku\n", "one of them must be command"),
        ("", "one of them must be command"),
        ("command,site,site\n", "column site stands there twice"),
    ] {
        assert!(refused_header(header).contains(words), "{header}: {}", refused_header(header));
    }
}

#[test]
fn a_line_without_a_key_gets_one_and_one_with_a_key_keeps_it() {
    let text = "\u{feff}{\"command\":\"record_note\"}\n\n  {\"idempotency_key\":\"mine\",\"command\":\"record_note\"}\r\n\
                { \"command\":\"record_note\"}\nnonsense\n{}";
    let told: Vec<(u64, Option<String>)> = {
        let (input, _directory) = input(text, Form::Ndjson);
        let items = input.items(&Hash([0xab; 32])).unwrap();
        items
            .map(|item| match item {
                Item::Command(command) => {
                    let json: Option<Value> = serde_json::from_slice(&command.json).ok();
                    let key = json.and_then(|json| json["idempotency_key"].as_str().map(str::to_owned));
                    (command.line, key)
                }
                other => panic!("{other:?}"),
            })
            .collect()
    };
    let expected = [
        (1, Some("import:abababababababab:1")),
        (3, Some("mine")),
        (4, Some("import:abababababababab:4")),
        (5, None),
        (6, None),
    ];
    assert_eq!(told, expected.map(|(line, key)| (line, key.map(str::to_owned))));
}

#[test]
fn a_server_that_asks_for_patience_is_asked_again_and_one_that_says_no_is_not() {
    let refused = |code: u16, retryable: bool| {
        let problem = Box::new(crate::client::Problem { retryable, ..Default::default() });
        let status = hyper::StatusCode::from_u16(code).unwrap();
        let server = "http://127.0.0.1:7070".to_owned();
        super::door::Error::Server(crate::client::Error::Refused { server, status, problem })
    };
    for (status, retryable, is_passing) in [(429, true, true), (503, false, true), (403, false, false)] {
        assert_eq!(refused(status, retryable).is_passing(), is_passing, "{status}");
    }
}

#[test]
fn a_line_that_is_too_long_is_refused_and_the_next_one_read() {
    let long = "x".repeat(crate::http::BULK_LINE_BYTES_MAX + 1);
    let told = items(&format!("{long}\n{{\"command\":\"record_note\"}}"));
    assert!(told[0].1.as_ref().unwrap_err().contains("at most"), "{:?}", told[0].0);
    assert_eq!((told[1].0, &told[1].1.as_ref().unwrap()["command"]), (2, &json!("record_note")));
}
