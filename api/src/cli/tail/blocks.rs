//! The blocks of server-sent events, out of whatever pieces they come in.

/// Longest block that is taken; a decision has at most 1 MiB of record.
const BLOCK_BYTES_MAX: usize = 64 << 20;

/// One block. Fields that no server of ours sends are passed over.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Block {
    pub(super) event: String,
    pub(super) id: Option<String>,
    pub(super) data: Vec<u8>,
}

/// A stream never ends a block.
#[derive(Debug, thiserror::Error)]
#[error("the server sent an event of more than {BLOCK_BYTES_MAX} bytes")]
pub(super) struct TooLong;

/// What was received and not given on.
#[derive(Debug, Default)]
pub(super) struct Blocks {
    received: Vec<u8>,
    /// Where the next block begins.
    begin: usize,
}

impl Blocks {
    /// Takes a piece.
    pub(super) fn add(&mut self, piece: &[u8]) -> Result<(), TooLong> {
        self.received.drain(..std::mem::take(&mut self.begin));
        if self.received.len() + piece.len() > BLOCK_BYTES_MAX {
            return Err(TooLong);
        }
        self.received.extend_from_slice(piece);
        Ok(())
    }

    /// The next whole block.
    pub(super) fn next(&mut self) -> Option<Block> {
        let rest = &self.received[self.begin..];
        let length = rest.windows(2).position(|pair| pair == b"\n\n")?;
        let mut block = Block::default();
        for line in rest[..length].split(|byte| *byte == b'\n') {
            let (name, value) =
                line.split_at(line.iter().position(|byte| *byte == b':').unwrap_or(line.len()));
            let value = value.strip_prefix(b":").unwrap_or(value);
            let value = value.strip_prefix(b" ").unwrap_or(value);
            match name {
                b"event" => block.event = String::from_utf8_lossy(value).into_owned(),
                b"id" => block.id = Some(String::from_utf8_lossy(value).into_owned()),
                b"data" => {
                    if !block.data.is_empty() {
                        block.data.push(b'\n');
                    }
                    block.data.extend_from_slice(value);
                }
                _ => {}
            }
        }
        self.begin += length + 2;
        Some(block)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &str = "retry: 1000\n\n: a comment: here\nid: a\n\nid: b\ndata: {\"x\":\"ü\"}\n\n\
                          event: resync\nid:c\ndata: one\ndata: two\n\nid: d\nda";

    #[test]
    fn blocks_are_the_same_however_they_are_cut() {
        let block = |event: &str, id: Option<&str>, data: &str| Block {
            event: event.to_owned(),
            id: id.map(str::to_owned),
            data: data.as_bytes().to_vec(),
        };
        let expected = [
            block("", None, ""),
            block("", Some("a"), ""),
            block("", Some("b"), "{\"x\":\"ü\"}"),
            block("resync", Some("c"), "one\ntwo"),
        ];
        for size in [1, 2, 3, 7, STREAM.len()] {
            let (mut blocks, mut found) = (Blocks::default(), Vec::new());
            for piece in STREAM.as_bytes().chunks(size) {
                blocks.add(piece).unwrap();
                found.extend(std::iter::from_fn(|| blocks.next()));
            }
            assert_eq!(found, expected, "pieces of {size}");
        }
    }
}
