//! The lines of a body as it comes in, never more of it in memory than one line and what came with it.

use std::time::Duration;

use axum::body::BodyDataStream;
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use tokio::time::{Instant, timeout};

use crate::http::bulk::LINE_BYTES_MAX;
use crate::http::patience::Patience;
use crate::http::problem::{Code, Problem};

/// Reads a body line by line.
pub(super) struct Lines {
    body: BodyDataStream,
    buffer: BytesMut,
    /// How much of the buffer is known to have no line break.
    scanned: usize,
    /// The line that is being read was too long; the rest of it is thrown away.
    is_skipping: bool,
    end: Option<End>,
    number: u64,
    patience: Patience,
    /// How long the line that is being read was waited for since it began.
    waited: Duration,
}

#[derive(Clone, Copy)]
enum End {
    Complete,
    Broken,
    Late,
}

/// What was read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Read {
    /// A line without its line break, not blank.
    Line(Bytes),
    /// A line beyond [`LINE_BYTES_MAX`]; it was skipped.
    TooLong,
    /// The body broke off. A line that was not complete is not given: it might be cut.
    Broken,
    /// Nothing came, or a line too slowly: the rest is not waited for.
    Late,
}

impl Read {
    /// The line, or why there is none.
    pub(super) fn into_line(self) -> Result<Bytes, Problem> {
        match self {
            Self::Line(line) => Ok(line),
            Self::TooLong => Err(Problem::new(
                Code::BodyTooLarge,
                format!("a line has at most {LINE_BYTES_MAX} bytes; split it"),
            )),
            Self::Broken => Err(Problem::new(Code::MalformedRequest, "the body broke off here")),
            Self::Late => {
                let detail = "the rest of the body did not come in time; nothing from here on was read";
                Err(Problem::new(Code::RequestTimeout, detail))
            }
        }
    }
}

impl Lines {
    pub(super) fn new(body: BodyDataStream, patience: Patience) -> Self {
        Self {
            body,
            buffer: BytesMut::new(),
            scanned: 0,
            is_skipping: false,
            end: None,
            number: 0,
            patience,
            waited: Duration::ZERO,
        }
    }

    /// The next line that is not blank, with its number from 1; blank lines are counted. Nothing after the last.
    pub(super) async fn next(&mut self) -> Option<(u64, Read)> {
        loop {
            while let Some(read) = self.take_line() {
                self.number += 1;
                if !matches!(&read, Read::Line(line) if line.trim_ascii().is_empty()) {
                    return Some((self.number, read));
                }
            }
            if self.end.is_some() {
                let read = self.take_last()?;
                self.number += 1;
                return Some((self.number, read));
            }
            self.read_more().await;
        }
    }

    /// A line that is complete in the buffer.
    fn take_line(&mut self) -> Option<Read> {
        let Some(offset) = self.buffer[self.scanned..].iter().position(|byte| *byte == b'\n') else {
            self.scanned = self.buffer.len();
            if self.buffer.len() > LINE_BYTES_MAX {
                self.skip_buffer();
            }
            return None;
        };
        let mut line = self.buffer.split_to(self.scanned + offset + 1);
        self.scanned = 0;
        self.waited = Duration::ZERO;
        line.truncate(line.len() - 1);
        let is_too_long = std::mem::take(&mut self.is_skipping) || line.len() > LINE_BYTES_MAX;
        Some(if is_too_long { Read::TooLong } else { Read::Line(line.freeze()) })
    }

    /// What is left when nothing more comes.
    fn take_last(&mut self) -> Option<Read> {
        let rest = std::mem::take(&mut self.buffer);
        let is_too_long = std::mem::take(&mut self.is_skipping);
        self.scanned = 0;
        match self.end.replace(End::Complete) {
            Some(End::Broken) => Some(Read::Broken),
            Some(End::Late) => Some(Read::Late),
            _ if is_too_long => Some(Read::TooLong),
            _ if rest.trim_ascii().is_empty() => None,
            _ => Some(Read::Line(rest.freeze())),
        }
    }

    /// Waiting counts, not time: while the ledger has no room nothing is read, for which the caller cannot help.
    async fn read_more(&mut self) {
        let has_begun = !self.buffer.is_empty() || self.is_skipping;
        let within =
            if has_begun { self.patience.line.saturating_sub(self.waited) } else { self.patience.pause };
        let began = Instant::now();
        match timeout(within, self.body.next()).await {
            Ok(Some(Ok(chunk))) => self.buffer.extend_from_slice(&chunk),
            Ok(Some(Err(_))) => self.end = Some(End::Broken),
            Ok(None) => self.end = Some(End::Complete),
            Err(_) => self.end = Some(End::Late),
        }
        if has_begun {
            self.waited += began.elapsed();
        }
    }

    fn skip_buffer(&mut self) {
        self.is_skipping = true;
        self.scanned = 0;
        self.buffer.clear();
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use futures_util::stream;

    use super::*;

    async fn lines_of(chunks: Vec<Result<Vec<u8>, std::io::Error>>) -> Vec<(u64, Read)> {
        let mut lines =
            Lines::new(Body::from_stream(stream::iter(chunks)).into_data_stream(), Patience::default());
        let mut read = Vec::new();
        while let Some(line) = lines.next().await {
            read.push(line);
        }
        assert_eq!(lines.next().await, None);
        read
    }

    fn line(text: &'static str) -> Read {
        Read::Line(Bytes::from_static(text.as_bytes()))
    }

    #[tokio::test]
    async fn lines_are_the_same_however_the_body_is_cut() {
        let text = b"one\n\n  \r\ntwo\r\nthree";
        for size in 1..=text.len() {
            let chunks = text.chunks(size).map(|chunk| Ok(chunk.to_vec())).collect();
            let expected = [(1, line("one")), (4, line("two\r")), (5, line("three"))];
            assert_eq!(lines_of(chunks).await, expected, "in pieces of {size}");
        }
    }

    #[tokio::test]
    async fn a_line_that_is_too_long_is_skipped_and_the_next_one_read() {
        let long = vec![b'x'; LINE_BYTES_MAX + 1];
        let longest = vec![b'y'; LINE_BYTES_MAX];
        let mut text = long.clone();
        text.extend_from_slice(b"\nafter\n");
        text.extend_from_slice(&longest);
        text.push(b'\n');
        text.extend_from_slice(&long);
        let chunks = text.chunks(100_000).map(|chunk| Ok(chunk.to_vec())).collect();
        let expected =
            [(1, Read::TooLong), (2, line("after")), (3, Read::Line(longest.into())), (4, Read::TooLong)];
        assert_eq!(lines_of(chunks).await, expected);
    }

    #[tokio::test]
    async fn a_line_that_was_cut_off_is_not_given() {
        let broken = || Err(std::io::Error::other("the caller is gone"));
        let chunks = vec![Ok(b"whole\nha".to_vec()), broken()];
        assert_eq!(lines_of(chunks).await, [(1, line("whole")), (2, Read::Broken)]);
    }
}
