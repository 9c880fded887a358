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
}

/// Which records.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: stockledger decode schemas/golden/claim.bin")]
pub(super) struct Args {
    /// The file, or - for standard input
    #[arg(default_value = "-")]
    file: PathBuf,
    /// How the records come
    #[arg(long, value_enum, default_value_t = Encoding::Raw)]
    encoding: Encoding,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let input: Box<dyn Read> = if args.file.as_os_str() == "-" {
        Box::new(io::stdin().lock())
    } else {
        Box::new(File::open(&args.file)?)
    };
    if args.encoding == Encoding::Raw {
        let mut bytes = Vec::new();
        input.take(RECORD_BYTES_MAX as u64 + 1).read_to_end(&mut bytes)?;
        return print(&bytes, 1);
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

fn bytes_of(text: &str, encoding: Encoding, number: usize) -> Result<Vec<u8>, Failure> {
    let bytes = match encoding {
        Encoding::Base64 => STANDARD.decode(text).ok(),
        Encoding::Hex | Encoding::Raw => from_hex(text),
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
    use super::from_hex;

    #[test]
    fn hexadecimal_is_read_in_pairs() {
        assert_eq!(from_hex("00ff10"), Some(vec![0, 255, 16]));
        assert_eq!(from_hex("0"), None);
        assert_eq!(from_hex("zz"), None);
    }
}
