//! What a node says of itself and of its read tables.

use utoipa::openapi::RefOr;
use utoipa::openapi::schema::Schema;

use super::words::{Digest, Partition, Position, Sha256, Time, Version};
use crate::http::describe::shape::{Named, Shape, objects, one_of};

objects! {
    /// The process answers.
    open Alive {
        /// `alive`
        must status: String,
    }
    /// Every role of the node can be played.
    open Ready {
        /// `ready`
        must status: String,
        must checks: Vec<Check>,
    }
    /// The node was ready once since its start.
    open Started {
        /// `started`
        must status: String,
    }
    /// One thing that must be well for the node to be ready.
    open Check {
        /// `writer`, `projector`, `api` or `keyring`
        must role: String,
        may partition: Partition,
        must ready: bool,
        must state: String,
        may reason: String,
        may position: Position,
        may lag_records: u64,
    }
    /// What a node is.
    open Info {
        must version: String,
        must ledger_id: String,
        must partitions: u64,
        /// What it does: `writer`, `projector`, `api`.
        must roles: Vec<String>,
        /// What kind of log it is kept in.
        must log: String,
        /// What kind of database the read tables are in.
        must projections: String,
        must idempotency_keys: KeptKeys,
        must limits: BoundsOfNode,
    }
    /// How long idempotency keys are kept, and what that costs.
    open KeptKeys {
        must retention: String,
        must bytes_per_key: u64,
        must held: Option<u64>,
    }
    /// What is taken on at most.
    open BoundsOfNode {
        must command_body_bytes_max: u64,
        must command_lines_max: u64,
        must quantity_max: u64,
        must bulk_line_bytes_max: u64,
        must bulk_in_flight_max: u64,
        must list_limit_default: u64,
        must list_limit_max: u64,
        must read_wait_seconds_max: u64,
    }
    /// Where the versions of the read tables stand.
    open Projections {
        /// The version that queries answer from.
        must active_version: Option<Version>,
        must versions: Vec<ProjectionVersion>,
        /// How far the projector of this node is.
        must partitions: Vec<PartitionHere>,
        must is_rebuilding: bool,
        must last_rebuild: Option<LastRebuild>,
    }
    /// A version of the read tables.
    open ProjectionVersion {
        must version: Version,
        must state: VersionState,
        /// The digest of the code that made it.
        must code_hash: Sha256,
        must created_at: Time,
        may filling: Filling,
        must is_being_filled: bool,
        /// Whether this program's code made it.
        must is_our_code: bool,
        must lag_records: u64,
        must lag_seconds: Option<u64>,
        may seconds_left: u64,
        must digest: Digest,
        must partitions: Vec<PartitionOfVersion>,
    }
    /// How far the filling of a version is, in records of the log.
    open Filling {
        must records_done: u64,
        must records_total: u64,
        must records_per_second: u64,
    }
    /// One partition of a version.
    open PartitionOfVersion {
        must partition: Partition,
        must position: Position,
        must as_of: Option<Time>,
        must records: u64,
        must lag_records: u64,
        must digest: Digest,
        may halt_reason: String,
    }
    /// How far one partition of the active version is, by the projector of this node.
    open PartitionHere {
        must partition: Partition,
        must position: Position,
        must as_of: Option<Time>,
        must state: String,
        may reason: String,
        must lag_records: u64,
        must lag_seconds: Option<u64>,
    }
    /// How the last rebuild ended.
    open LastRebuild {
        must outcome: RebuildOutcome,
        may version: Version,
        may is_resumed: bool,
        may is_active: bool,
        may decisions: u64,
        may events: u64,
        may switched: Option<Switched>,
        may reason: String,
        /// Whether it is history or the tables that are wrong, so that somebody must look.
        may is_history_wrong: bool,
    }
    /// A rebuild that has begun.
    open RebuildBegun {
        must state: String,
        /// Where its progress is told.
        must progress: String,
    }
    /// A switch of queries from one version to another.
    open Switched {
        must from: Version,
        must to: Version,
        must is_compared: bool,
        must held_ms: u64,
    }
    /// A version that was dropped.
    open Dropped {
        must dropped: Version,
    }
}

/// Where a version stands.
pub(in crate::http::describe) struct VersionState;

impl Shape for VersionState {
    fn usage(_: &mut Named) -> RefOr<Schema> {
        one_of(["building", "ready", "active", "retired"]).into()
    }
}

/// How a rebuild ended.
pub(in crate::http::describe) struct RebuildOutcome;

impl Shape for RebuildOutcome {
    fn usage(_: &mut Named) -> RefOr<Schema> {
        one_of(["rebuilt", "failed"]).into()
    }
}
