//! What a refusal means for the command line: how the program ends, and what to do next.

use super::Exit;
use crate::http::Code;

/// How the program ends that was answered with this code; `otherwise`, if the code says nothing of that.
pub(super) const fn exit_of(code: Code, otherwise: Exit) -> Exit {
    match code {
        Code::AuditInconsistent => Exit::VerificationFailed,
        Code::AuditUnavailable => Exit::NotReady,
        Code::KeyExists
        | Code::UnknownKey
        | Code::FirstKeyNotAdmin
        | Code::InsufficientStock
        | Code::OrderExists
        | Code::OrderState
        | Code::ExpectedQuantityStale
        | Code::HoldExists
        | Code::HoldState
        | Code::QuantityLimit => Exit::Refused,
        Code::MalformedRequest | Code::ValidationFailed | Code::IdempotencyKeyReused => Exit::Usage,
        _ => otherwise,
    }
}

/// What to do about it, where that is not said by the refusal itself.
pub(super) const fn next_step(code: Code) -> Option<&'static str> {
    Some(match code {
        Code::InsufficientStock => {
            "Nothing was changed. Receive what is short (stockledger stock receive SITE SKU=QUANTITY), or ask for no more than \
             is available."
        }
        Code::UnknownSite => {
            "stockledger site list shows the sites that there are; stockledger site open SITE --name NAME opens another one."
        }
        Code::OrderExists => {
            "stockledger order show SITE ORDER shows the one that there is; choose another id."
        }
        Code::OrderState => "stockledger order trail SITE ORDER shows what became of it.",
        Code::ExpectedQuantityStale => {
            "Look again (stockledger stock show SITE SKU), and say what is on hand now."
        }
        Code::IdempotencyKeyReused => "Leave out --idempotency-key for a new command.",
        Code::Forbidden => {
            "Name the file with a key that may: --api-key-file FILE. stockledger keys create makes one, with a key of scope admin."
        }
        Code::Unauthenticated => "Name the file with your API key: --api-key-file FILE.",
        _ => return None,
    })
}

/// A refusal in words, and below it what to do next.
pub(super) fn in_words(refusal: impl std::fmt::Display, code: Option<Code>) -> String {
    match code.and_then(next_step) {
        Some(next) => format!("{refusal}\n{next}"),
        None => refusal.to_string(),
    }
}
