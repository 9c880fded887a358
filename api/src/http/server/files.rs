//! Files that the system lets this process have open: connections are files too, and must leave some for everything else.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Files for log, tables, snapshots and connections to other servers.
const FILES_RESERVED: u64 = 256;

/// As many connections as were asked for, or as there are files for. The limit of the process is first raised as far as
/// the system allows that, since the usual one is a relic that cannot bear many connections.
#[must_use]
pub fn connections_allowed(wanted: usize) -> usize {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: maximum, maximum };
    let files = if setrlimit(Resource::Nofile, raised).is_ok() { maximum } else { current };
    let allowed = allowed(wanted, files);
    if allowed < wanted {
        tracing::warn!(wanted, allowed, ?files, "the limit on open files leaves room for fewer connections");
    }
    allowed
}

/// None stands for no limit.
fn allowed(wanted: usize, files: Option<u64>) -> usize {
    let Some(files) = files else { return wanted };
    let for_connections = files.saturating_sub(FILES_RESERVED).max(files / 4);
    wanted.min(usize::try_from(for_connections).unwrap_or(usize::MAX))
}

#[cfg(test)]
mod tests {
    use super::allowed;

    #[test]
    fn connections_leave_files_for_everything_else() {
        for (files, expected) in [
            (None, 1_024),
            (Some(1_000_000), 1_024),
            (Some(1_280), 1_024),
            (Some(1_024), 768),
            (Some(300), 75),
            (Some(64), 16),
        ] {
            assert_eq!(allowed(1_024, files), expected, "{files:?}");
        }
    }
}
