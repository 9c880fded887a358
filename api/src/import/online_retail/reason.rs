//! Why stock was adjusted, by the words that people wrote: the table of `docs/import.md`.

use stockledger_schemas::Reason;

/// The first row of which any word stands in the description decides. Whole words only: a "cream sweetheart letter rack"
/// is not wet.
const WORDS: &[(Reason, &[&str])] = &[
    (
        Reason::Damaged,
        &[
            "broken",
            "cracked",
            "crushed",
            "damage",
            "damaged",
            "damages",
            "damges",
            "damp",
            "dirty",
            "discoloured",
            "faulty",
            "mouldy",
            "rotting",
            "rust",
            "rusty",
            "scratched",
            "smashed",
            "torn",
            "unsellable",
            "wet",
        ],
    ),
    (Reason::Shrinkage, &["gone", "lost", "mia", "missing", "missings", "stolen", "theft"]),
    (Reason::Found, &["found"]),
];

/// The reason that a description gives; a correction if it gives none.
pub(super) fn reason_of(description: &str) -> Reason {
    let description = description.to_ascii_lowercase();
    let words = || description.split(|char: char| !char.is_ascii_alphanumeric());
    let row = WORDS.iter().find(|(_, known)| words().any(|word| known.contains(&word)));
    row.map_or(Reason::Correction, |(reason, _)| *reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_reason_from_whole_words_of_the_description() {
        for (description, expected) in [
            ("damages", Reason::Damaged),
            ("wet/smashed/unsellable", Reason::Damaged),
            ("damages, lost bits etc", Reason::Damaged),
            ("RUST FIXED", Reason::Damaged),
            ("missing?", Reason::Shrinkage),
            ("lost in space", Reason::Shrinkage),
            ("lost and found", Reason::Shrinkage),
            ("found again", Reason::Found),
            ("cream sweetheart letter rack", Reason::Correction),
            ("rustic bowl", Reason::Correction),
            ("given away", Reason::Correction),
            ("?", Reason::Correction),
            ("", Reason::Correction),
        ] {
            assert_eq!(reason_of(description), expected, "{description}");
        }
    }
}
