//! Every command of a file is checked before the first one is sent.

use std::sync::Arc;

use stockledger_schemas::Hash;

use super::Error;
use super::read::{Command, Input, Item};
use super::report::Report;
use crate::http;

/// What a file was found to be.
#[derive(Debug)]
pub(super) struct Checked {
    pub(super) hash: Hash,
    pub(super) commands: u64,
}

/// Reads the whole file. What is wrong with it stands in the report.
pub(super) async fn check(input: Arc<Input>, mut report: Report) -> Result<(Checked, Report), Error> {
    let checking = move || {
        let hash = input.hash()?;
        let (mut commands, mut count) = (0, 0);
        for item in input.items(&hash)? {
            let (line, detail) = match item {
                Item::Command(Command { line, json }) => match http::check_bulk_line(&json) {
                    Ok(()) => {
                        commands += 1;
                        continue;
                    }
                    Err(detail) => (line, detail),
                },
                Item::Bad { line, detail } => (line, detail),
                Item::Broken(source) => return Err(input.unreadable(source)),
            };
            count += 1;
            report.bad(line, detail)?;
        }
        if count > 0 {
            report.finish()?;
            return Err(Error::BadLines { name: input.name().to_owned(), count });
        }
        Ok((Checked { hash, commands }, report))
    };
    tokio::task::spawn_blocking(checking).await?
}
