//! What needs servers. They are started by `cargo xtask test`, which leaves this module out with `--quick`.

mod archive;
mod equivalence;
mod faults;
mod generate;
mod program;
mod refused;
mod servers;
mod stack;
mod storage;
mod switches;
