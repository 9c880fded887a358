//! One line of bulk: which command, the ids that stand in the path of its route, its key, and the body of its route.

use serde::Deserialize;
use serde_json::value::RawValue;
use stockledger_domain::Checked;
use stockledger_schemas::{CommandKind, HoldId, IdempotencyKey, OrderId, SiteId, Sku};
use stockledger_writer::CommandError;

use crate::http::access::Caller;
use crate::http::body;
use crate::http::command::{Ids, Input, Target, checked};
use crate::http::dry_run::Purpose;
use crate::http::items::RegisterItemBody;
use crate::http::orders::{CancellationBody, OrderBody, ReturnBody, ShipmentBody};
use crate::http::problem::{Code, Problem};
use crate::http::sites::{OpenSiteBody, RecordNoteBody};
use crate::http::stock::{AdjustmentBody, CountBody, HoldBody, ReceiptBody, ReleaseBody};

/// A line, ready for the ledger.
pub(super) struct Line {
    pub(super) command: Checked,
    pub(super) key: Option<IdempotencyKey>,
    pub(super) purpose: Purpose,
    /// A site must be open before the next line is taken, which may well be about it.
    pub(super) is_awaited: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sent<'a> {
    command: CommandKind,
    site: Option<SiteId>,
    sku: Option<Sku>,
    order_id: Option<OrderId>,
    hold_id: Option<HoldId>,
    idempotency_key: Option<IdempotencyKey>,
    #[serde(default)]
    dry_run: bool,
    #[serde(borrow)]
    body: Option<&'a RawValue>,
}

/// Reads a line with the functions of the command's own route, and checks that the caller may send it there.
pub(super) fn parse(line: &[u8], caller: &Caller) -> Result<Line, Problem> {
    let sent: Sent<'_> = body::parse(line)?;
    sent.read(caller)
}

/// Reads a line of those that are done together, whose key is that of their request.
pub(super) fn parse_of_bundle(line: &[u8], caller: &Caller) -> Result<Checked, Problem> {
    let mut sent: Sent<'_> = body::parse(line)?;
    if sent.idempotency_key.is_some() {
        let detail = "lines that are done together have one key, the header Idempotency-Key of the request";
        return Err(Problem::invalid_at("/idempotency_key", detail));
    }
    if sent.dry_run {
        let detail = "lines that are done together run dry together: ?atomic=true&dry_run=true";
        return Err(Problem::invalid_at("/dry_run", detail));
    }
    sent.idempotency_key = Some(IdempotencyKey::new(OF_BUNDLE).map_err(Problem::internal)?);
    sent.read(caller).map(|line| line.command)
}

/// Stands for the key of the request where a line is read that has none of its own.
const OF_BUNDLE: &str = "bundle";

/// What the ledger says of a command, as the problem of its line.
pub(super) fn problem_of_command(error: CommandError) -> Problem {
    in_body(Problem::from(error))
}

/// Pointers into a body become pointers into its line.
fn in_body(problem: Problem) -> Problem {
    problem.below("/body")
}

impl Sent<'_> {
    /// The line, read with the functions of the command's own route.
    fn read(self, caller: &Caller) -> Result<Line, Problem> {
        match self.command {
            CommandKind::OpenSite => self.into_line::<OpenSiteBody>(caller),
            CommandKind::RegisterItem => self.into_line::<RegisterItemBody>(caller),
            CommandKind::ReceiveStock => self.into_line::<ReceiptBody>(caller),
            CommandKind::AdjustStock => self.into_line::<AdjustmentBody>(caller),
            CommandKind::CountStock => self.into_line::<CountBody>(caller),
            CommandKind::HoldStock => self.into_line::<HoldBody>(caller),
            CommandKind::ReleaseHold => self.into_line::<ReleaseBody>(caller),
            CommandKind::PlaceOrder => self.into_line::<OrderBody>(caller),
            CommandKind::ShipOrder => self.into_line::<ShipmentBody>(caller),
            CommandKind::CancelOrder => self.into_line::<CancellationBody>(caller),
            CommandKind::ReturnOrder => self.into_line::<ReturnBody>(caller),
            CommandKind::RecordNote => self.into_line::<RecordNoteBody>(caller),
            CommandKind::CreateKey | CommandKind::RevokeKey => {
                Err(Problem::invalid_at("/command", "keys are made and revoked one by one, at /v1/keys"))
            }
        }
    }

    fn into_line<I: Input>(self, caller: &Caller) -> Result<Line, Problem> {
        let Self { command: kind, site, sku, order_id, hold_id, idempotency_key, dry_run, body } = self;
        // Before all else, as in front of a route: what a line of a site is answered with that the caller does not see must
        // not depend on that site.
        caller.check(I::ACCESS, site.as_ref())?;
        if I::IS_KEYED && idempotency_key.is_none() {
            let detail = format!("{kind} needs the member idempotency_key, new for each command");
            return Err(Problem::new(Code::IdempotencyKeyMissing, detail));
        }
        let target = target_of::<I>(kind, Ids { site, sku, order_id, hold_id })?;
        let body = body.map_or("", RawValue::get);
        let command = checked::<I>(target, body.as_bytes(), caller.actor()).map_err(in_body)?;
        Ok(Line {
            command,
            key: idempotency_key.filter(|_| I::IS_KEYED),
            purpose: Purpose::of(dry_run),
            is_awaited: kind == CommandKind::OpenSite,
        })
    }
}

fn target_of<I: Input>(kind: CommandKind, mut ids: Ids) -> Result<I::Target, Problem> {
    let target = I::Target::take(&mut ids).map_err(|missing| {
        Problem::invalid_at(
            format!("/{missing}"),
            format!("{kind} needs the member {missing} beside its body"),
        )
    })?;
    match ids.first_left() {
        None => Ok(target),
        Some(left) => Err(Problem::invalid_at(
            format!("/{left}"),
            format!("{kind} takes no member {left} beside its body"),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem_of(line: &str) -> (Code, String) {
        let problem = parse(line.as_bytes(), &Caller::local().unwrap()).err().expect("a problem");
        let document = serde_json::to_value(problem.document("", "")).unwrap();
        (problem.code(), document["errors"][0]["pointer"].as_str().unwrap_or_default().to_owned())
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place_in_the_line() {
        let cases = [
            (r#"{"command":"dance"}"#, Code::ValidationFailed, "/command"),
            (r#"{"command":"open_site","body":{"name":"x"}}"#, Code::ValidationFailed, "/site"),
            (r#"{"command":"open_site","site":"u k","body":{"name":"x"}}"#, Code::ValidationFailed, "/site"),
            (
                r#"{"command":"open_site","site":"uk","sku":"A","body":{"name":"x"}}"#,
                Code::ValidationFailed,
                "/sku",
            ),
            (
                r#"{"command":"open_site","site":"uk","body":{"name":1}}"#,
                Code::ValidationFailed,
                "/body/name",
            ),
            (r#"{"command":"open_site","site":"uk","body":[]}"#, Code::ValidationFailed, "/body"),
            (r#"{"command":"open_site","site":"uk"}"#, Code::MalformedRequest, ""),
            (r#"{"command":"cancel_order","site":"uk","order_id":"1"}"#, Code::IdempotencyKeyMissing, ""),
            (
                r#"{"command":"cancel_order","site":"uk","idempotency_key":"k"}"#,
                Code::ValidationFailed,
                "/order_id",
            ),
            (
                r#"{"command":"adjust_stock","site":"uk","idempotency_key":"k","body":{"lines":[{"sku":"A","delta":0}]}}"#,
                Code::ValidationFailed,
                "/body/lines/0/delta",
            ),
            (r#"{"command":"open_site","site":"uk","body":{"name":}}"#, Code::MalformedRequest, ""),
            (r#"{"command":"open_site","shop":"uk"}"#, Code::ValidationFailed, "/shop"),
            (r#"{"command":"revoke_key","idempotency_key":"k"}"#, Code::ValidationFailed, "/command"),
        ];
        for (line, code, pointer) in cases {
            assert_eq!(problem_of(line), (code, pointer.to_owned()), "{line}");
        }
    }

    #[test]
    fn a_body_may_be_absent_where_its_route_allows_that() {
        let line = r#"{"command":"cancel_order","site":"uk","order_id":"1","idempotency_key":"k"}"#;
        assert!(parse(line.as_bytes(), &Caller::local().unwrap()).is_ok());
        let line = r#"{"command":"ship_order","site":"uk","order_id":"1","idempotency_key":"k","body":{}}"#;
        assert!(parse(line.as_bytes(), &Caller::local().unwrap()).is_ok());
    }
}
