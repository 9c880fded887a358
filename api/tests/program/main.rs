//! The program as people run it: the real binary, real files, real signals.

mod commands;
mod crash;
mod import;
mod run;
mod setup;
