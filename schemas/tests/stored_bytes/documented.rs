//! `FORMAT.md` says what the source says, in both directions.

use std::fmt::Write as _;
use std::path::Path;

use stockledger_schemas::{
    CommandKind, Disposition, Event, Hash, HoldReason, KeyScope, OrderStatus, Reason, Refusal, envelope,
    limits,
};

use crate::golden;

fn format_page() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("FORMAT.md");
    std::fs::read_to_string(path).expect("FORMAT.md is beside Cargo.toml")
}

/// The text under a heading, up to the next heading.
fn section(heading: &str) -> String {
    let page = format_page();
    let mut lines = page.lines().skip_while(|line| line.trim_start_matches('#').trim() != heading);
    assert!(lines.next().is_some(), "FORMAT.md has no heading {heading}");
    lines.take_while(|line| !line.starts_with('#')).fold(String::new(), |mut text, line| {
        let _ = writeln!(text, "{line}");
        text
    })
}

/// The cells of the table rows of a section whose first cell is a number.
fn numbered_rows(heading: &str) -> Vec<Vec<String>> {
    section(heading)
        .lines()
        .map(|line| {
            line.trim_matches('|').split('|').map(|cell| cell.trim().trim_matches('`').to_owned()).collect()
        })
        .filter(|cells: &Vec<String>| cells[0].parse::<u32>().is_ok())
        .collect()
}

fn documented_tags(heading: &str) -> Vec<[String; 3]> {
    numbered_rows(heading).into_iter().map(|row| [row[0].clone(), row[1].clone(), row[2].clone()]).collect()
}

fn source_tags(tags: &[(u16, u8, &str)]) -> Vec<[String; 3]> {
    tags.iter()
        .map(|(tag, version, name)| [tag.to_string(), version.to_string(), (*name).to_owned()])
        .collect()
}

macro_rules! assert_codes_documented {
    ($set:ty, $heading:literal) => {
        let source: Vec<Vec<String>> =
            <$set>::ALL.iter().map(|value| vec![value.code().to_string(), value.to_string()]).collect();
        assert_eq!(numbered_rows($heading), source, "the codes of {}", $heading);
    };
}

#[test]
fn lists_every_event_and_no_other() {
    assert_eq!(documented_tags("Events"), source_tags(Event::TAGS));
}

#[test]
fn lists_every_refusal_and_no_other() {
    assert_eq!(documented_tags("Refusals"), source_tags(Refusal::TAGS));
}

#[test]
fn lists_every_code_and_no_other() {
    assert_codes_documented!(Reason, "Reason");
    assert_codes_documented!(HoldReason, "Hold reason");
    assert_codes_documented!(Disposition, "Disposition");
    assert_codes_documented!(OrderStatus, "Order status");
    assert_codes_documented!(CommandKind, "Command");
    assert_codes_documented!(KeyScope, "Key scope");
}

#[test]
fn names_the_limits_of_the_source() {
    let page = format_page();
    assert!(page.contains(&format!("format {}", envelope::FORMAT)));
    assert!(page.contains("at most 1,048,576 bytes") && limits::RECORD_BYTES_MAX == 1_048_576);
    assert!(page.contains(&format!("(1 to {})", limits::EVENTS_MAX)));
    assert!(page.contains(&format!("0 to {}", limits::QUANTITY_MAX)));
}

#[test]
fn names_the_longest_text_of_every_field() {
    use stockledger_schemas::{
        Actor, CorrelationId, Currency, CustomerId, HoldId, IdempotencyKey, KeyId, Name, Note, OrderId,
        ReferenceId, ReferenceType, SiteId, Sku, Unit,
    };
    let rows = section("Values");
    let fields = [
        ("site", SiteId::BYTES_MAX),
        ("sku", Sku::BYTES_MAX),
        ("order_id", OrderId::BYTES_MAX),
        ("hold_id", HoldId::BYTES_MAX),
        ("customer", CustomerId::BYTES_MAX),
        ("actor", Actor::BYTES_MAX),
        ("request.key", IdempotencyKey::BYTES_MAX),
        ("correlation_id", CorrelationId::BYTES_MAX),
        ("reference.id", ReferenceId::BYTES_MAX),
        ("reference.type", ReferenceType::BYTES_MAX),
        ("unit", Unit::BYTES_MAX),
        ("key_id", KeyId::BYTES_MAX),
        ("currency", Currency::BYTES_MAX),
        ("name", Name::BYTES_MAX),
        ("note", Note::BYTES_MAX),
    ];
    for (field, bytes_max) in fields {
        let found = rows
            .lines()
            .any(|line| line.contains(&format!("`{field}`")) && line.contains(&format!("| {bytes_max} |")));
        assert!(found, "no row says that {field} has at most {bytes_max} bytes");
    }
}

#[test]
fn works_its_example_on_the_golden_bytes() {
    let example = section("Worked example");
    let block = example.split("```").nth(1).expect("a fenced block");
    let bytes: Vec<u8> = block
        .lines()
        .skip(1)
        .flat_map(|line| line.split("  ").next().unwrap_or("").split_whitespace())
        .map(|digits| u8::from_str_radix(digits, 16).expect("two hexadecimal digits"))
        .collect();
    assert_eq!(bytes, golden::read("note_recorded.v1-bare").bytes);
}

#[test]
fn names_the_hashes_of_its_example() {
    let bytes = |name: &str| golden::read(name).bytes;
    let genesis = Hash::of(&[b"stockledger-genesis", &bytes("genesis")]);
    let claim = Hash::of(&[&[1], &genesis.0, &bytes("claim")]);
    let decision = Hash::of(&[&[0], &bytes("note_recorded.v1-bare")]);
    let example = section("Worked example");
    for hash in [genesis, claim, decision] {
        assert!(example.contains(&hash.to_string()), "{hash} is not in the example");
    }
}
