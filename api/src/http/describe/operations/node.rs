//! The node itself: audit, keys, read tables, health, and the pages that explain it all.

use serde_json::{Value, json};
use utoipa::openapi::path::HttpMethod;

use super::{CURSOR, LIMIT, query};
use crate::http::describe::operation::{Given, Operation};
use crate::http::describe::shape::Shape;
use crate::http::describe::shapes::audit::{
    BeginVerification, Checkpoints, ConsistencyProof, InclusionProof, Verification, VerificationBegun,
};
use crate::http::describe::shapes::commands::{BeginRebuild, SwitchVersion};
use crate::http::describe::shapes::node::{
    Alive, Dropped, Info, Projections, Ready, RebuildBegun, Started, Switched,
};
use crate::http::describe::shapes::views::KeyList;
use crate::http::describe::shapes::words::{Partition, Position};
use crate::http::problem::Code;

const TEXT: &str = "text/plain";
const HTML: &str = "text/html";

pub(super) fn all() -> Vec<Operation> {
    let mut all = audit();
    all.extend(projections());
    all.extend(service());
    all.extend(pages());
    all
}

fn get(path: &'static str, id: &'static str, tag: &'static str, summary: &'static str) -> Operation {
    Operation::new(HttpMethod::Get, path, id, tag, summary)
}

fn audit() -> Vec<Operation> {
    let needed = |given: Given| Given { is_required: true, ..given };
    let failures = [Code::AuditUnavailable, Code::AuditInconsistent, Code::NotFound];
    vec![
        get("/v1/audit/checkpoint", "getCheckpoint", "Audit", "Show what was signed last")
            .given(&[query("partition", "Only this one, as the signed note itself.", Partition::usage)])
            .answers::<Checkpoints>(200, "The checkpoints; of one partition, the signed note.")
            .answers_as::<String>(200, TEXT, "The signed note.")
            .at_a_position()
            .fails(&failures),
        get("/v1/audit/proof", "getInclusionProof", "Audit", "Prove that a decision is in the ledger")
            .given(&[needed(query("position", "The decision.", Position::usage))])
            .answers::<InclusionProof>(200, "The proof.")
            .at_a_position()
            .fails(&failures),
        get("/v1/audit/consistency", "getConsistencyProof", "Audit", "Prove that history was only added to")
            .given(&[
                needed(query("from", "The last decision of the earlier tree.", Position::usage)),
                query(
                    "to",
                    "The last decision of the later one; what was signed last, if absent.",
                    Position::usage,
                ),
            ])
            .answers::<ConsistencyProof>(200, "The proof.")
            .at_a_position()
            .fails(&failures),
        get("/v1/audit/key", "getAuditKey", "Audit", "Show the key that checks what was signed")
            .about("Whoever checks takes it from somewhere safer than from the server that is to be checked.")
            .answers_as::<String>(200, TEXT, "The line of `audit.pub`.")
            .fails(&failures),
        get("/v1/audit/verification", "getVerification", "Audit", "Show when the log was verified last")
            .answers::<Verification>(200, "The last verification, and the one under way.")
            .fails(&[Code::NotFound]),
        Operation::new(
            HttpMethod::Post,
            "/v1/audit/verifications",
            "beginVerification",
            "Audit",
            "Begin to verify the log",
        )
        .about("In the background, beside all other work.")
        .body::<BeginVerification>(false, json!({}))
        .answers::<VerificationBegun>(202, "It has begun.")
        .fails(&[Code::NotFound, Code::InProgress]),
    ]
}

fn projections() -> Vec<Operation> {
    let failures = [Code::NotFound, Code::ProjectionUnavailable];
    vec![
        get("/v1/projections", "getProjections", "Projections", "Show where the read tables stand")
            .answers::<Projections>(200, "All versions.")
            .fails(&failures),
        Operation::new(
            HttpMethod::Post,
            "/v1/projections/rebuilds",
            "beginRebuild",
            "Projections",
            "Begin a rebuild of the read tables",
        )
        .body::<BeginRebuild>(false, json!({ "switch": "manual", "workers": 2 }))
        .answers::<RebuildBegun>(202, "It has begun.")
        .fails(&failures)
        .fails(&[Code::InProgress, Code::VersionState]),
        Operation::new(
            HttpMethod::Post,
            "/v1/projections/switch",
            "switchVersion",
            "Projections",
            "Switch queries to another version",
        )
        .body::<SwitchVersion>(true, json!({ "version": 2 }))
        .answers::<Switched>(200, "They answer from it now.")
        .fails(&failures)
        .fails(&[Code::InProgress, Code::VersionState]),
        Operation::new(
            HttpMethod::Delete,
            "/v1/projections/{version}",
            "dropVersion",
            "Projections",
            "Drop a version",
        )
        .answers::<Dropped>(200, "It is gone.")
        .fails(&failures)
        .fails(&[Code::InProgress, Code::VersionState]),
    ]
}

fn service() -> Vec<Operation> {
    let unready = [
        Code::WriterRecovering,
        Code::NotApplied,
        Code::NotPartitionOwner,
        Code::PartitionHalted,
        Code::ProjectionBehind,
        Code::ProjectionUnavailable,
        Code::KeysUnread,
    ];
    vec![
        get("/v1/keys", "listKeys", "Keys", "List API keys")
            .given(&[LIMIT, CURSOR])
            .about("By id.")
            .answers::<KeyList>(200, "A page of keys.")
            .or_rows()
            .tagged()
            .fails(&[Code::InvalidCursor, Code::NotFound]),
        get("/v1/info", "getInfo", "Service", "Show what this node is").answers::<Info>(200, "The node."),
        get("/metrics", "getMetrics", "Service", "Show what is measured, for Prometheus")
            .about("OpenMetrics where `Accept` asks for it.")
            .answers_as::<String>(200, TEXT, "The metrics.")
            .answers_as::<String>(200, "application/openmetrics-text", "The metrics."),
        get("/livez", "getLiveness", "Service", "Ask whether the process answers")
            .answers::<Alive>(200, "It does."),
        get("/readyz", "getReadiness", "Service", "Ask whether every role can be played")
            .answers::<Ready>(200, "It can.")
            .fails(&unready),
        get(
            "/startupz",
            "getStartup",
            "Service",
            "Ask whether every role could be played once since the start",
        )
        .answers::<Started>(200, "It could.")
        .fails(&unready),
    ]
}

fn pages() -> Vec<Operation> {
    let page = |path, id, summary| {
        let page = get(path, id, "Service", summary).about("HTML where `Accept` asks for it, else text.");
        page.answers_as::<String>(200, TEXT, "The page.").answers_as::<String>(200, HTML, "The page.")
    };
    vec![
        get("/", "getFront", "Service", "Show where to begin")
            .about("Leads to the dashboard where `Accept` asks for HTML.")
            .answers_as::<String>(200, TEXT, "The page.")
            .redirects("To the dashboard."),
        page("/problems", "listProblems", "List every code of a problem"),
        page("/problems/{code}", "getProblem", "Explain the code of a problem").fails(&[Code::NotFound]),
        get("/openapi.json", "getDescription", "Service", "Get this description")
            .answers::<Value>(200, "OpenAPI 3.1."),
        get("/docs", "getDocs", "Service", "Read this description in a browser").answers_as::<String>(
            200,
            HTML,
            "The page.",
        ),
        get("/docs/{file}", "getDocsFile", "Service", "Get a file of that page")
            .answers_as::<String>(200, "text/css", "The file.")
            .answers_as::<String>(200, "text/javascript", "The file.")
            .answers_as::<String>(200, "image/png", "The file.")
            .fails(&[Code::NotFound]),
    ]
}
