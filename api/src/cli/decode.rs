//! `decode`: raw records as JSON, without a ledger, a server or a log.

use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use stockledger_schemas::envelope;
use stockledger_schemas::limits::RECORD_BYTES_MAX;

use super::{Exit, Failure, output};

/// How the records come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Encoding {
    /// The whole input is one record.
    Raw,
    /// One record a line, in hexadecimal.
    Hex,
    /// One record a line, in base64.
    Base64,
    /// Before each record its length, 32 bits big endian, as `kcat -f '%R%s'` writes them.
    Lengths,
}

/// Which records.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  stockledger decode schemas/golden/claim.bin
  kcat -C -b 127.0.0.1:9092 -t stockledger -e -q -D '' -f '%R%s' | stockledger decode - --encoding lengths")]
pub(super) struct Args {
    /// The file, or - for standard input
    #[arg(default_value = "-")]
    file: PathBuf,
    /// How the records come
    #[arg(long, value_enum, default_value_t = Encoding::Raw)]
    encoding: Encoding,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let mut input: Box<dyn Read> = if args.file.as_os_str() == "-" {
        Box::new(io::stdin().lock())
    } else {
        Box::new(File::open(&args.file)?)
    };
    if args.encoding == Encoding::Raw {
        let mut bytes = Vec::new();
        input.take(RECORD_BYTES_MAX as u64 + 1).read_to_end(&mut bytes)?;
        return print(&bytes, 1);
    }
    if args.encoding == Encoding::Lengths {
        let mut number = 0;
        while let Some(bytes) = record_with_length(&mut input)? {
            number += 1;
            print(&bytes, number)?;
        }
        return Ok(());
    }
    for (number, line) in io::BufRead::lines(io::BufReader::new(input)).enumerate() {
        let line = line?;
        let text = line.trim();
        if !text.is_empty() {
            print(&bytes_of(text, args.encoding, number + 1)?, number + 1)?;
        }
    }
    Ok(())
}

fn print(bytes: &[u8], number: usize) -> Result<(), Failure> {
    let record = envelope::decode(bytes)
        .map_err(|error| Failure::text(Exit::VerificationFailed, format!("record {number}: {error}")))?;
    Ok(output::json(&record)?)
}

/// The next record behind its length; nothing at the end of the input.
fn record_with_length(input: &mut impl Read) -> Result<Option<Vec<u8>>, Failure> {
    let mut length = Vec::with_capacity(4);
    input.take(4).read_to_end(&mut length)?;
    if length.is_empty() {
        return Ok(None);
    }
    let torn =
        |what: &str| Failure::text(Exit::Failed, format!("the input is no record with its length: {what}"));
    let length = <[u8; 4]>::try_from(length).map_err(|_| torn("it ends within a length"))?;
    let length = u64::from(u32::from_be_bytes(length));
    if length > RECORD_BYTES_MAX as u64 {
        return Err(torn("the length is beyond that of any record"));
    }
    let mut bytes = Vec::new();
    input.take(length).read_to_end(&mut bytes)?;
    if bytes.len() as u64 == length { Ok(Some(bytes)) } else { Err(torn("it ends within a record")) }
}

fn bytes_of(text: &str, encoding: Encoding, number: usize) -> Result<Vec<u8>, Failure> {
    let bytes = match encoding {
        Encoding::Base64 => STANDARD.decode(text).ok(),
        Encoding::Hex | Encoding::Raw | Encoding::Lengths => from_hex(text),
    };
    bytes.ok_or_else(|| {
        Failure::text(Exit::Failed, format!("line {number} is not {encoding:?}").to_lowercase())
    })
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u32> = text.chars().map(|digit| digit.to_digit(16)).collect::<Option<_>>()?;
    if !digits.len().is_multiple_of(2) {
        return None;
    }
    digits.chunks_exact(2).map(|pair| u8::try_from(pair[0] * 16 + pair[1]).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::{from_hex, record_with_length};

    #[test]
    fn records_are_read_by_their_lengths() {
        let mut input: &[u8] = b"\0\0\0\x03one\0\0\0\0\0\0\0\x02tw";
        let mut next = || record_with_length(&mut input).unwrap();
        assert_eq!([next(), next(), next()], [Some(b"one".to_vec()), Some(vec![]), Some(b"tw".to_vec())]);
        assert_eq!(next(), None);
        for torn in [&b"\0\0"[..], b"\0\0\0\x05four", b"\xff\0\0\0"] {
            assert!(record_with_length(&mut { torn }).is_err(), "{torn:?}");
        }
    }

    #[test]
    fn hexadecimal_is_read_in_pairs() {
        assert_eq!(from_hex("00ff10"), Some(vec![0, 255, 16]));
        assert_eq!(from_hex("0"), None);
        assert_eq!(from_hex("zz"), None);
    }
}
