//! The import, from the bytes of a file to the balances of a ledger.
//!
//! What is expected is either written out in a table, or computed by [`naive`], which shares nothing with the code that
//! is tested.

mod bad_files;
mod december;
mod documents;
mod naive;
mod opening;
mod over_http;
mod resuming;
mod shop;

use super::Source;
use super::online_retail::{self, Input};

/// The header of every file.
pub(super) const HEADER: &str =
    "Invoice,StockCode,Description,Quantity,InvoiceDate,Price,Customer ID,Country\n";

/// A file with these lines below its header.
pub(super) fn file(lines: &[&str]) -> Vec<u8> {
    let mut text = HEADER.to_owned();
    for line in lines {
        text.push_str(line);
        text.push('\n');
    }
    text.into_bytes()
}

/// Bytes as a source. They stay for the rest of the test run, as the demo data does for that of the program.
pub(super) fn source(bytes: Vec<u8>) -> Source {
    Source::Bytes { name: "test.csv".to_owned(), bytes: bytes.leak() }
}

pub(super) fn read(bytes: Vec<u8>) -> Result<Input, online_retail::Error> {
    online_retail::read(&source(bytes))
}

/// The demo data as CSV text.
pub(super) fn december() -> String {
    let packed = include_bytes!("../../../data/online-retail-2009-12.csv.gz");
    let mut text = String::new();
    let mut unpacked = flate2::read::GzDecoder::new(packed.as_slice());
    std::io::Read::read_to_string(&mut unpacked, &mut text).expect("the demo data is gzip and UTF-8");
    text
}
