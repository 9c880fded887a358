//! Finds the commands in Markdown.

/// One command of the README.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Command {
    /// Its line in the file, from 1.
    pub(super) line: usize,
    /// What a shell runs.
    pub(super) shell: String,
    /// Whether it goes on running while the next ones run.
    pub(super) is_server: bool,
}

/// The commands of all blocks marked `console`, in order.
pub(super) fn commands(markdown: &str) -> Vec<Command> {
    let mut commands = vec![];
    let mut lines = markdown.lines().enumerate();
    let mut block: Option<&str> = None;
    while let Some((index, line)) = lines.next() {
        match (block, line.trim_start().strip_prefix("```")) {
            (None, Some(mark)) => block = Some(mark.trim()),
            (Some(_), Some(_)) => block = None,
            (Some(mark @ ("console" | "console,server")), None) => {
                if let Some(first) = line.strip_prefix("$ ") {
                    let shell = joined(first, lines.by_ref().map(|(_, line)| line));
                    commands.push(Command { line: index + 1, shell, is_server: mark == "console,server" });
                }
            }
            _ => {}
        }
    }
    commands
}

/// A command that goes on on the next lines, as one line.
fn joined<'a>(first: &str, mut more: impl Iterator<Item = &'a str>) -> String {
    let mut shell = first.trim_end().to_owned();
    while let Some(open) = shell.strip_suffix('\\') {
        let next = more.next().unwrap_or_default();
        shell = format!("{open}{}", next.trim());
    }
    shell
}

#[cfg(test)]
mod tests {
    use super::{Command, commands};

    #[test]
    fn takes_the_commands_of_console_blocks_only() {
        let markdown = "\
Text with $ signs.
```console
$ one --flag
output of one
$ two \\
    --three
```
```console,server
$ serve
```
```sh
$ not this
```
```console,ignore
$ nor this
```
$ nor this
";
        let command = |line, shell: &str, is_server| Command { line, shell: shell.to_owned(), is_server };
        let expected =
            [command(3, "one --flag", false), command(5, "two --three", false), command(9, "serve", true)];
        assert_eq!(commands(markdown), expected);
    }

    #[test]
    fn a_continuation_at_the_end_of_the_file_ends_the_command() {
        assert_eq!(commands("```console\n$ one \\").len(), 1);
    }
}
