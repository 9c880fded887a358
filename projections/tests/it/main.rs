//! The read side as a whole: real decisions, a real log, real tables.

mod common;
mod fold;
mod live;
mod queried;
mod rebuilt;
