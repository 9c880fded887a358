//! `--as-of` and `--axis`: the past that a command asks about.

use super::filters::{Parameter, asked};

/// As of when.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Past {
    /// As of this time, such as 2026-03-31T23:59:59Z, or this position, such as 0.17 [default: now]
    #[arg(long, value_name = "WHEN")]
    as_of: Option<String>,
    /// By when things were recorded, or by when they occurred
    #[arg(long, value_name = "AXIS", value_parser = ["recorded", "occurred"], requires = "as_of")]
    axis: Option<String>,
}

impl Past {
    /// The path with the parameters that say so; as it is for the present.
    pub(super) fn path(&self, path: &str) -> String {
        asked(path, self.parameters())
    }

    pub(super) fn parameters(&self) -> [Parameter<'_>; 2] {
        [("as_of", self.as_of.as_deref()), ("axis", self.axis.as_deref())]
    }
}
