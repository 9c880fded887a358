//! How `--help` is laid out: what a command is for, examples of it, and only then its arguments, options and settings.

use clap::Command;

const LAYOUT: &str = "{about}{after-help}\n\n{usage-heading} {usage}\n\n{all-args}";

/// A command and all below it, laid out so.
pub(super) fn with_examples_first(command: Command) -> Command {
    command.help_template(LAYOUT).mut_subcommands(with_examples_first)
}
