//! Problems, which every answer is that is not a success (RFC 9457).

use super::node::Check;
use super::words::{Balance, ProblemCode, Sku};
use crate::http::describe::shape::objects;

objects! {
    /// Why a request was not fulfilled (RFC 9457).
    open ProblemDocument {
        /// Where its code is explained: `/problems/{code}`.
        must type: String,
        /// The code in a few words.
        must title: String,
        /// The status of the answer.
        must status: u64,
        /// What is wrong with this request, and what to do.
        must detail: String,
        /// The path that it is about.
        must instance: String,
        /// What programs branch on.
        must code: ProblemCode,
        /// What the request is called in the log.
        must request_id: String,
        /// Whether the same request, sent again without any change, may succeed.
        must retryable: bool,
        /// Of `validation-failed`: everything that is not valid.
        may errors: Vec<InvalidMember>,
        /// Of `insufficient-stock`: everything that is short.
        may shortages: Vec<Shortage>,
        /// Of `not-partition-owner`: the address of the node to ask, where it is known.
        may owner: String,
        /// Of `/readyz` and `/startupz`: everything that was looked at.
        may checks: Vec<Check>,
    }
    /// One thing that is not valid.
    open InvalidMember {
        /// A JSON pointer into the body (RFC 6901).
        must pointer: String,
        must detail: String,
    }
    /// One SKU that is short.
    open Shortage {
        must sku: Sku,
        must requested: Balance,
        must available: Balance,
    }
}
