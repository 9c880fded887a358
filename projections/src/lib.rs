//! The read side: tables folded from the log, and the queries that answer from them.
//!
//! Everything here can be thrown away and made again by replaying the log. [`fold()`] turns decisions into row changes and
//! is pure; a [`Store`] holds the tables; the [`projector`] moves them forward and [`rebuild`] makes a new version of
//! them; [`Queries`] answers.
//!
//! What is absent on purpose: nothing here decides anything, writes to the log, or knows of HTTP.

mod changes;
mod checkpoint;
pub mod compare;
#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
pub mod dialect;
pub mod digest;
pub mod fold;
mod follower;
pub mod held;
mod level;
pub mod lines;
mod load;
pub mod measure;
pub mod mysql;
pub mod overview;
mod pace;
mod progress;
pub mod projector;
pub mod queries;
pub mod read;
pub mod rebuild;
pub mod rows;
mod sqlite;
mod stop;
pub mod store;
pub mod switch;
pub mod table;
pub mod touched;
pub mod value;
mod verify;
pub mod versions;
mod view;
pub mod views;

pub use changes::Changes;
pub use checkpoint::Checkpoint;
pub use fold::{Impossible, fold};
pub use mysql::MysqlStore;
pub use progress::{Activity, Progress, Status};
pub use projector::{Options, Projector};
pub use queries::{
    Axis, Balance, Direction, LevelKey, LevelQuery, MovementFilter, MovementKey, OrderFilter, Period, Point,
    Queries, Then, Waited,
};
pub use sqlite::SqliteStore;
pub use stop::Halted;
pub use store::{Activation, Commit, Select, Snapshot, Statement, Store};
pub use table::Version;
pub use verify::contradiction;
pub use view::{Missing, ORDER_ROWS_MAX, STOCK_ROWS_MAX, Scope, View};
