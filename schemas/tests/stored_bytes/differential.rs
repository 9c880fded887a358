//! A second decoder reads the golden files: the format does not depend on the library that writes it.

use serde::Serialize;
use wincode::SchemaRead;
use wincode::config::{Configuration, DEFAULT_PREALLOCATION_SIZE_LIMIT};
use wincode::int_encoding::{LittleEndian, VarInt};
use wincode::len::BincodeLen;

use crate::golden::{self, Golden};
use crate::twin;

/// What bincode calls `standard()`.
type Standard = Configuration<true, DEFAULT_PREALLOCATION_SIZE_LIMIT, BincodeLen, LittleEndian, VarInt>;

const STANDARD: Standard = Configuration::default().with_varint_encoding();
const HEADER_BYTES: usize = 8;

#[test]
fn wincode_reads_every_golden_file_as_its_twin_says() {
    for golden in golden::all() {
        let expected: serde_json::Value = serde_json::from_str(&golden.twin).expect("a twin is JSON");
        assert_eq!(read_with_wincode(&golden), expected, "{}", golden.name);
    }
}

fn read_with_wincode(golden: &Golden) -> serde_json::Value {
    let (header, body) = golden.bytes.split_at(HEADER_BYTES);
    assert_eq!(&header[..3], b"SL\x01", "{}", golden.name);
    match header[3] {
        1 => json::<twin::Genesis>(&golden.name, body),
        2 => json::<twin::Claim>(&golden.name, body),
        3 => json::<twin::Decision>(&golden.name, body),
        kind => panic!("{}: kind {kind}", golden.name),
    }
}

fn json<'a, T>(name: &str, body: &'a [u8]) -> serde_json::Value
where
    T: SchemaRead<'a, Standard, Dst = T> + Serialize,
{
    let record: T =
        wincode::config::deserialize_exact(body, STANDARD).unwrap_or_else(|error| panic!("{name}: {error}"));
    serde_json::to_value(&record).unwrap_or_else(|error| panic!("{name}: {error}"))
}
