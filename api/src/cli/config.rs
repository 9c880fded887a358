//! `config show`: every setting, its value and where it came from.

use serde_json::{Map, Value, json};

use super::output::{self, Format};
use super::{Context, Failure};

/// Settings.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Config {
    /// Print every setting, its value and where it came from
    #[command(after_help = "Examples:
  stockledger config show
  STOCKLEDGER_LISTEN=127.0.0.1:8080 stockledger config show --format json")]
    Show,
}

pub(super) fn run(command: &Config, context: &Context) -> Result<(), Failure> {
    let Config::Show = command;
    let rows = context.settings.rows();
    match context.format() {
        Format::Json => {
            let members = rows
                .into_iter()
                .map(|(name, value, source)| (name.to_owned(), json!({ "value": value, "source": source })));
            Ok(output::json(&Value::Object(members.collect::<Map<_, _>>()))?)
        }
        Format::Table => {
            let rows: Vec<_> =
                rows.into_iter().map(|(name, value, source)| vec![name.to_owned(), value, source]).collect();
            Ok(output::table(&["setting", "value", "source"], &rows)?)
        }
    }
}
