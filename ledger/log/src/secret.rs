//! A text that is shown to nobody: not in errors, not in the log, not in settings that are printed.

use std::fmt;

/// What `Display` and `Debug` show in place of every secret.
const MASK: &str = "***";

/// A password or the like. Only [`Secret::reveal`] gives it away, so that every place where it leaves can be found.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Keeps a text secret.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text, to hand it to whom it is for.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(MASK)
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(MASK)
    }
}

#[cfg(test)]
mod tests {
    use super::Secret;

    #[test]
    fn a_secret_is_not_shown_also_as_a_part_of_something() {
        let secret = Secret::new("open sesame");
        for shown in [format!("{secret}"), format!("{secret:?}"), format!("{:#?}", Some((1, &secret)))] {
            assert!(shown.contains("***") && !shown.contains("sesame"), "{shown}");
        }
        assert_eq!(secret.reveal(), "open sesame");
    }
}
