//! `completions` and `man`: what a shell and `man` know of the commands, made of the same declarations as the help.

use std::path::PathBuf;

use clap::CommandFactory;
use clap_complete::Shell;

use super::{Cli, Failure, output};

/// Which shell.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  stockledger completions bash > /etc/bash_completion.d/stockledger
  stockledger completions zsh > \"${fpath[1]}/_stockledger\"
  stockledger completions fish > ~/.config/fish/completions/stockledger.fish")]
pub(super) struct Completions {
    /// The shell
    shell: Shell,
}

/// Where manual pages go.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  stockledger man | man -l -
  stockledger man --to /usr/local/share/man/man1")]
pub(super) struct Man {
    /// Write a page for each command into this directory [default: print that of the program]
    #[arg(long, value_name = "DIR")]
    to: Option<PathBuf>,
}

pub(super) fn completions(args: &Completions) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "stockledger", &mut script);
    Ok(output::text(String::from_utf8_lossy(&script))?)
}

pub(super) fn man(args: &Man) -> Result<(), Failure> {
    let Some(directory) = &args.to else {
        let mut page = Vec::new();
        clap_mangen::Man::new(Cli::command()).render(&mut page)?;
        return Ok(output::text(String::from_utf8_lossy(&page))?);
    };
    std::fs::create_dir_all(directory)?;
    clap_mangen::generate_to(Cli::command(), directory)?;
    Ok(())
}
