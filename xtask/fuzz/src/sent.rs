//! Short texts that callers send in paths, parameters and headers.

use stockledger::http::fuzzing;
use stockledger_schemas::{IdempotencyKey, Position, Timestamp};

/// A cursor is refused, or is one that we gave: it is written as it was read. A key that somebody sealed, knowing how, is
/// read without harm.
pub(crate) fn cursor(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let (list, cursor) = text.split_once('\n').unwrap_or(("sites\n", text));
    for again in fuzzing::cursors(list, cursor) {
        assert!(fuzzing::cursors(list, &again).contains(&again), "{again}");
    }
    let sealed = fuzzing::sealed_cursor(list, cursor);
    for again in fuzzing::cursors(list, &sealed) {
        assert!(fuzzing::cursors(list, &again).contains(&again), "{again}");
        assert!(fuzzing::cursors("another list", &again).is_empty(), "{again} belongs to one list");
    }
}

/// A position or a time is read or refused; one that was read is shown in the way in which it is read again. The same
/// bytes are tried as the list of positions in a header.
pub(crate) fn position(bytes: &[u8]) {
    const PARTITIONS: u16 = 3;
    if let Some(Ok(positions)) = fuzzing::min_positions(bytes, PARTITIONS) {
        assert!(positions.iter().all(|position| position.partition.0 < PARTITIONS));
    }
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(position) = text.parse::<Position>() {
        assert_eq!(position.to_string().parse(), Ok(position));
        assert!(i64::try_from(position.seq).is_ok(), "{position} fits no table");
    }
    if let Ok(time) = text.parse::<Timestamp>() {
        assert_eq!(time.to_string().parse(), Ok(time), "{text}");
        assert_eq!(Timestamp::from_micros(time.micros()), Ok(time));
    }
}

/// A key is read or refused; a bare one is the header as it stands, and each can be sent again in quotes.
pub(crate) fn idempotency_key(bytes: &[u8]) {
    let Some(Ok(key)) = fuzzing::idempotency_key(bytes) else { return };
    assert_eq!(IdempotencyKey::new(key.as_str()).as_ref(), Ok(&key));
    if !bytes.starts_with(b"\"") {
        assert_eq!(key.as_str().as_bytes(), bytes);
    }
    let quoted = format!("\"{}\"", key.as_str().replace('\\', "\\\\").replace('"', "\\\""));
    let again = fuzzing::idempotency_key(quoted.as_bytes());
    assert!(again.is_some_and(|again| again.is_ok_and(|again| again == key)), "{quoted}");
}
