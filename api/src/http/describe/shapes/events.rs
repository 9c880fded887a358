//! Decisions as the feeds tell them: as they stand in the log (`docs/feeds.md`).

use stockledger_schemas as ours;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{AdditionalProperties, ObjectBuilder, OneOfBuilder, Schema, Type};

use super::commands::Reference;
use super::words::{
    Actor, CorrelationId, FeedCursor, IdempotencyKey, Note, Partition, Position, Reason, Sha256, SiteId, Time,
};
use crate::http::describe::shape::{Named, Shape, objects, one_of, refer};

objects! {
    /// A page of decisions.
    open EventPage {
        must data: Vec<RecordedDecision>,
        must has_more: bool,
        /// Where to go on. Always there: a feed has no end.
        must next_cursor: FeedCursor,
        /// Partitions that must not be read past.
        may stopped: Vec<StoppedPartition>,
    }
    /// One event of a stream, as a client of server-sent events takes it apart.
    open StreamedEvent {
        /// A recorded decision as JSON; of other events, what the guide to feeds says.
        must data: String,
        /// Where to go on behind it.
        may id: FeedCursor,
        /// `message`: a decision; `stopped`: a partition goes no further; `resync`: the reader was too slow.
        may event: String,
    }
    /// A partition that must not be read past, and why.
    open StoppedPartition {
        must partition: Partition,
        must reason: String,
    }
    /// A decision that counts.
    open RecordedDecision {
        must position: Position,
        /// Where its record stands in the log.
        must offset: u64,
        /// The hash of the chain behind it.
        must hash: Sha256,
        must decision: Decision,
        /// The stored bytes of its record, as base64, where they were asked for.
        may raw: String,
    }
    /// One command, decided: everything that happened, or why nothing did.
    open Decision {
        /// The writer's term.
        must term: u64,
        /// Dense from 1 in its partition.
        must seq: u64,
        /// The hash of the chain up to the decision before.
        must prev_hash: Sha256,
        /// The writer's clock; never falls within a partition.
        must recorded_at: Time,
        must scope: DecisionScope,
        must request: Option<DecidedRequest>,
        must context: DecisionContext,
        must events: Vec<Event>,
    }
    /// What a caller can ask again by.
    open DecidedRequest {
        must key: IdempotencyKey,
        /// The hash of route and command, which tells a repetition from a reuse.
        must fingerprint: Sha256,
    }
    /// Who, why and what for.
    open DecisionContext {
        must actor: Actor,
        must occurred_at: Option<Time>,
        must reason: Option<Reason>,
        must note: Option<Note>,
        must reference: Option<Reference>,
        must correlation_id: Option<CorrelationId>,
    }
    /// The site that a decision is about.
    open AtSite {
        must site: SiteId,
    }
}

/// What a decision is about.
pub(in crate::http::describe) struct DecisionScope;

impl Shape for DecisionScope {
    fn usage(named: &mut Named) -> RefOr<Schema> {
        refer(named, "DecisionScope", |named| {
            let about = "`directory`: sites, items and API keys; else the site.";
            let scope = OneOfBuilder::new().item(one_of(["directory"])).item(AtSite::usage(named));
            scope.description(Some(about))
        })
    }
}

/// What happened.
pub(in crate::http::describe) struct Event;

impl Shape for Event {
    fn usage(named: &mut Named) -> RefOr<Schema> {
        refer(named, "Event", |named| {
            let about = "What happened. Which members it has beside its type is its type's own matter.";
            let event = ObjectBuilder::new().schema_type(Type::Object).description(Some(about));
            let event = event.property("type", EventType::usage(named)).required("type");
            event.additional_properties(Some(AdditionalProperties::<Schema>::FreeForm(true)))
        })
    }
}

/// The type of an event.
pub(in crate::http::describe) struct EventType;

impl Shape for EventType {
    fn usage(named: &mut Named) -> RefOr<Schema> {
        refer(named, "EventType", |_| {
            one_of(ours::Event::TAGS.iter().map(|(_, _, name)| *name)).description(Some("A type of event."))
        })
    }
}
