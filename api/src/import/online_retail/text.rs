//! Descriptions of people, made into texts that the ledger takes.

use std::borrow::Cow;

/// A description without control characters and spaces around it, cut to `bytes_max` between two characters. Nothing
/// rests on a description, so bytes that are not UTF-8 are shown as such instead of refusing the file.
pub(super) fn tidy(raw: &[u8], bytes_max: usize) -> String {
    let text = String::from_utf8_lossy(raw);
    let text =
        if text.contains(char::is_control) { Cow::Owned(text.replace(char::is_control, " ")) } else { text };
    let text = text.trim();
    text[..text.floor_char_boundary(bytes_max)].trim_end().to_owned()
}

/// What a message shows of a cell: all of it, or its beginning.
pub(super) fn excerpt(raw: &[u8]) -> String {
    const SHOWN_BYTES_MAX: usize = 40;
    let text = String::from_utf8_lossy(raw);
    let shown = &text[..text.floor_char_boundary(SHOWN_BYTES_MAX)];
    if shown.len() < text.len() { format!("{shown:?}...") } else { format!("{shown:?}") }
}
