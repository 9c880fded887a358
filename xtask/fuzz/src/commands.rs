//! Commands as JSON, from the bytes of a caller to the state that they leave behind.

use stockledger::http::fuzzing;

use crate::world;

/// Most lines of one input, so that no input is slow only because it is long.
const LINES_MAX: usize = 24;

/// Each line is a command as bulk takes it, whose body is that of the command's own route. It is refused, or decided and
/// carried out on the state that the lines before it left, and every invariant holds afterwards.
pub(crate) fn json_command(bytes: &[u8]) {
    let mut world = world::stocked().clone();
    for line in bytes.split(|byte| *byte == b'\n').take(LINES_MAX) {
        match fuzzing::command(line) {
            Ok((command, key)) => world.send(&command, key),
            Err(problem) => assert!((400..500).contains(&problem.code().status().as_u16()), "{problem:?}"),
        }
    }
}
