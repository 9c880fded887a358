//! The one table of problem codes: what each is answered with, and what a person reads about it.
//!
//! A code is part of the interface: programs branch on it, and `/problems/{code}` explains it. It never changes its
//! meaning or its status.

use axum::http::StatusCode;

/// Seconds after which a refusal for lack of room or of a leader is usually over.
const RETRY_SOON_S: u32 = 1;
/// Seconds after which it is worth looking again whether somebody has repaired something.
const RETRY_LATER_S: u32 = 60;

macro_rules! codes {
    ($($variant:ident = $status:ident $code:literal $retryable:ident $title:literal $text:literal;)+) => {
        /// The stable name of a kind of problem.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Code { $(#[doc = $text] $variant,)+ }

        impl Code {
            /// Every code, by status.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The code as it stands in answers and in `/problems/{code}`.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $code,)+ }
            }

            /// The status that it is answered with, always.
            #[must_use]
            pub const fn status(self) -> StatusCode {
                match self { $(Self::$variant => StatusCode::$status,)+ }
            }

            /// The same in a few words, the same for every occurrence.
            #[must_use]
            pub const fn title(self) -> &'static str {
                match self { $(Self::$variant => $title,)+ }
            }

            /// What it means and what to do about it.
            #[must_use]
            pub const fn explanation(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }

            /// Whether the same request, sent again without any change, may succeed.
            #[must_use]
            pub const fn is_retryable(self) -> bool {
                match self { $(Self::$variant => codes!(@$retryable),)+ }
            }
        }
    };
    (@retry) => { true };
    (@final) => { false };
}

codes! {
    MalformedRequest = BAD_REQUEST "malformed-request" final "Malformed request"
        "The request cannot be read: the body is missing or is not JSON, a header has no valid form, or the query string has an unknown or invalid parameter. The detail says where. Mend the request.";
    IdempotencyKeyMissing = BAD_REQUEST "idempotency-key-missing" final "Idempotency key missing"
        "Every POST needs the header Idempotency-Key. Choose a new key for each thing that you want to happen, keep it before you send, and send the same key when you repeat the request: then it happens once, however often it is sent.";
    InvalidCursor = BAD_REQUEST "invalid-cursor" final "Invalid cursor"
        "A cursor continues the list that it came from, with the same path and the same filters. This one is damaged or belongs to another list. Begin again without a cursor.";
    Unauthenticated = UNAUTHORIZED "unauthenticated" final "Not authenticated"
        "The request carries no API key, or one that is not known, has expired or was revoked. Send the header Authorization: Bearer with a key of this ledger; somebody with the scope admin makes one.";
    Forbidden = FORBIDDEN "forbidden" final "Forbidden"
        "The API key does not allow this: it lacks the scope that the detail names, or it is for some sites and this is about the ledger as a whole.";
    NotFound = NOT_FOUND "not-found" final "Not found"
        "There is nothing at this path on this node. The detail says whether the path does not exist at all or belongs to a role that this node does not play.";
    UnknownSite = NOT_FOUND "unknown-site" final "Unknown site"
        "No site with this id was ever opened. Open it with PUT /v1/sites/{site}.";
    UnknownOrder = NOT_FOUND "unknown-order" final "Unknown order"
        "No order with this id was placed at this site. Ids are compared byte for byte.";
    UnknownHold = NOT_FOUND "unknown-hold" final "Unknown hold"
        "No hold with this id exists at this site. Ids are compared byte for byte.";
    UnknownStock = NOT_FOUND "unknown-stock" final "Unknown stock"
        "This SKU was never received, adjusted or counted at this site.";
    UnknownItem = NOT_FOUND "unknown-item" final "Unknown item"
        "No item with this SKU is registered. Stock of an unregistered SKU may exist nevertheless.";
    UnknownEvent = NOT_FOUND "unknown-event" final "Unknown event"
        "The log has no decision at this position, or the API key is not for the site of it.";
    UnknownKey = NOT_FOUND "unknown-key" final "Unknown key"
        "No API key with this id was ever made.";
    MethodNotAllowed = METHOD_NOT_ALLOWED "method-not-allowed" final "Method not allowed"
        "The path exists but does not take this method. The header Allow names those that it takes.";
    InsufficientStock = CONFLICT "insufficient-stock" final "Insufficient stock"
        "Less is available than the command needs, so nothing of it was done. The member shortages lists what is short. The refusal is on record, and the same idempotency key gives the same answer for ever; when stock has come, send the command again under a new key.";
    OrderExists = CONFLICT "order-exists" final "Order exists"
        "An order with this id was accepted at this site before. The id of an accepted order is unique for ever.";
    OrderState = CONFLICT "order-state" final "Order does not allow this"
        "The order stands where this step is not possible: nothing is left to ship, cancel or return, it has no such line, or the quantity is more than what is left. Look at the order.";
    ExpectedQuantityStale = CONFLICT "expected-quantity-stale" final "Expected quantity is stale"
        "The stock is no longer what the command was based on. Read it again and decide anew, under a new key.";
    HoldExists = CONFLICT "hold-exists" final "Hold exists"
        "A hold with this id exists at this site. Choose another id.";
    HoldState = CONFLICT "hold-state" final "Hold does not allow this"
        "Less is left of the hold than the command wants to release.";
    KeyExists = CONFLICT "key-exists" final "Key exists"
        "An API key with this id exists. Make another token, which has another id.";
    FirstKeyNotAdmin = CONFLICT "first-key-not-admin" final "First key must be admin"
        "The ledger has no API key yet, and the first one must have the scope admin: as soon as there is one, nobody comes in without, and nobody could make another.";
    QuantityLimit = CONFLICT "quantity-limit" final "Quantity limit"
        "A balance would go beyond 2^53 - 1, the largest quantity of the ledger.";
    VersionState = CONFLICT "version-state" final "Version does not allow this"
        "The version of the read tables stands where this is not possible: it is in use, it is not whole yet, other code made it, or its rows are not those of the version in use. The detail says which; GET /v1/projections shows all versions. Nothing was changed.";
    InProgress = CONFLICT "in-progress" retry "In progress"
        "A command with the same idempotency key is being decided at this moment, or a rebuild or a verification is running. Send it again later to learn the outcome.";
    PreconditionFailed = PRECONDITION_FAILED "precondition-failed" final "Precondition failed"
        "The stock level or order is no longer the one that If-Match names by its ETag. Nothing was recorded. Read it again and decide anew.";
    RequestTimeout = REQUEST_TIMEOUT "request-timeout" retry "Request timeout"
        "The body did not come within the time that the server waits for one. Nothing was recorded; send it again with the same key, over a better connection or in smaller pieces.";
    UriTooLong = URI_TOO_LONG "uri-too-long" final "Address too long"
        "The path with its query string is longer than any that this service has. Nothing was done.";
    HeadersTooLarge = REQUEST_HEADER_FIELDS_TOO_LARGE "headers-too-large" final "Headers too large"
        "The headers of the request are longer together than the limit. Nothing was done.";
    BodyTooLarge = PAYLOAD_TOO_LARGE "body-too-large" final "Body too large"
        "The body is longer than the limit, or the decision would not fit in one record. Split the command.";
    UnsupportedMediaType = UNSUPPORTED_MEDIA_TYPE "unsupported-media-type" final "Unsupported media type"
        "The header Content-Type is missing or names a format that this path does not take. Commands are application/json, bulk is application/x-ndjson.";
    ValidationFailed = UNPROCESSABLE_ENTITY "validation-failed" final "Validation failed"
        "The request can be read but is not a valid command. The member errors lists each problem with a JSON pointer into the body. Nothing was recorded, so the same idempotency key can be used for the mended command.";
    IdempotencyKeyReused = UNPROCESSABLE_ENTITY "idempotency-key-reused" final "Idempotency key reused"
        "This idempotency key was used at this site before, for another command. Use a new key for a new command.";
    AnotherLineRefused = FAILED_DEPENDENCY "another-line-refused" final "Another line was refused"
        "The lines of this request are done together or not at all, and another one of them cannot be done. Nothing was done; the answer to that line says why.";
    RateLimited = TOO_MANY_REQUESTS "rate-limited" retry "Rate limited"
        "Too many requests came from this credential. Wait as long as Retry-After says.";
    Internal = INTERNAL_SERVER_ERROR "internal" final "Internal error"
        "The program has a fault. The details are in its log under the request id.";
    AuditInconsistent = INTERNAL_SERVER_ERROR "audit-inconsistent" final "Log contradicts its checkpoints"
        "The log no longer agrees with a checkpoint that was signed for it: history was changed or lost, or the data directory belongs to another ledger. No more checkpoints are signed for this partition. Keep log, data directory and checkpoints as they are, compare the log with a copy, and read docs/audit.md.";
    AuditUnavailable = SERVICE_UNAVAILABLE "audit-unavailable" retry "Audit unavailable"
        "There is no checkpoint or proof at the moment: this node has no key to sign with, or the tree of the partition is still being made, or what is asked for is newer than the last checkpoint. The detail says which. Commands and reads are not affected.";
    EventsUnavailable = SERVICE_UNAVAILABLE "events-unavailable" retry "Events unavailable"
        "This node is still reading the log, as after a start, or the log does not answer at the moment, or as many listen as may. Commands and reads are not affected. Send the request again after Retry-After, from the same cursor.";
    NotApplied = SERVICE_UNAVAILABLE "not-applied" retry "Not applied"
        "The command was not decided: it was given up while it waited, or the log does not answer and nothing new is taken. Nothing was recorded; send it again with the same key.";
    Overloaded = SERVICE_UNAVAILABLE "overloaded" retry "Overloaded"
        "Too many commands are waiting. Nothing was recorded; send it again with the same key after Retry-After.";
    NotPartitionOwner = SERVICE_UNAVAILABLE "not-partition-owner" retry "Not the owner of the partition"
        "Another node writes the partition of this site. The member owner names it where it is known. This request recorded nothing.";
    ProjectionBehind = SERVICE_UNAVAILABLE "projection-behind" retry "Projection behind"
        "The read tables have not reached the position that Ledger-Min-Position asks for within the time that the request may wait. Send it again after Retry-After.";
    ProjectionUnavailable = SERVICE_UNAVAILABLE "projection-unavailable" retry "Projection unavailable"
        "The database of the read tables does not answer at the moment. Commands are not affected. Send the request again after Retry-After.";
    PartitionHalted = SERVICE_UNAVAILABLE "partition-halted" retry "Partition halted"
        "The partition of this site stopped at something in its log that must not be read past, and takes no commands until an operator has looked at it. /readyz says why. This request recorded nothing.";
    KeysUnread = SERVICE_UNAVAILABLE "keys-unread" retry "Keys not read yet"
        "This node is still reading from the log which API keys there are, as after a start, and lets nobody in before. Send the request again after Retry-After.";
    WriterRecovering = SERVICE_UNAVAILABLE "writer-recovering" retry "Writer recovering"
        "The writer is reading its log, as after a start. This request recorded nothing; send it again with the same key after Retry-After, which also tells what became of an earlier one.";
    OutcomeUnknown = GATEWAY_TIMEOUT "outcome-unknown" retry "Outcome unknown"
        "The command may or may not be in the log. Send it again with the same idempotency key: it is answered with what the log says, and never happens twice.";
}

impl Code {
    /// The code of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.as_str() == name)
    }

    /// What `Retry-After` says, in seconds; on every 429 and 503.
    #[must_use]
    pub const fn retry_after_s(self) -> Option<u32> {
        match (self, self.status()) {
            (Self::PartitionHalted, _) => Some(RETRY_LATER_S),
            (_, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) => Some(RETRY_SOON_S),
            _ => None,
        }
    }
}
