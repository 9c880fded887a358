//! `/ui/events/{position}`: one decision, member by member, and its bytes.

use std::fmt::Write as _;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use serde_json::Value;
use stockledger_schemas::{Event, KeyScope, Position, SiteId};
use tokio::time::Instant;

use super::{About, about, is_refusal, site_of, what};
use crate::feed::{Filter, Recorded, SETTLE_WITHIN};
use crate::http::App;
use crate::http::access::{Access, Caller};
use crate::http::problem::{Code, Problem, refusal};
use crate::http::segments::{NoParameters, Parameters, Segments};
use crate::http::ui::forms::{self, Action};
use crate::http::ui::frame::{Frame, Section, page};
use crate::http::ui::text::{Number, When};

/// Members that a page shows; the JSON has all.
const MEMBERS_MAX: usize = 2_000;
/// Bytes that a page shows; the JSON has all.
const BYTES_SHOWN_MAX: usize = 16 << 10;
const BYTES_PER_LINE: usize = 16;

#[derive(Template)]
#[template(path = "event.html")]
struct EventPage {
    frame: Frame,
    actions: Vec<Action>,
    is_refusal: bool,
    /// Why it was refused, if it was.
    why: String,
    about: Vec<About>,
    site: String,
    actor: String,
    occurred_at: When,
    recorded_at: When,
    key: String,
    offset: String,
    hash: String,
    members: Vec<(String, String)>,
    has_more_members: bool,
    bytes: Number,
    dump: String,
    has_more_bytes: bool,
    json: String,
    /// For whoever may ask for it.
    proof: Option<String>,
    earlier: Option<String>,
    later: String,
}

pub(super) async fn show(
    State(app): State<App>,
    Segments(position): Segments<Position>,
    Parameters(NoParameters {}): Parameters<NoParameters>,
    caller: Caller,
) -> Result<Response, Problem> {
    let _seat = app.seats().take(caller.credential())?;
    let visible = Filter { visible: caller.sites().map(<[SiteId]>::to_vec), ..Filter::default() };
    let found = app.feed()?.decision(position, Instant::now() + SETTLE_WITHIN).await?;
    let Some(recorded) = found.filter(|recorded| visible.passes(&recorded.decision)) else {
        return Err(Problem::new(Code::UnknownEvent, format!("there is no decision at {position}")));
    };
    let decision = &recorded.decision;
    let mut members = Vec::new();
    let value = serde_json::to_value(decision).map_err(Problem::internal)?;
    flatten(&value, &mut String::new(), &mut members);
    let has_more_members = members.len() > MEMBERS_MAX;
    members.truncate(MEMBERS_MAX);
    let shown = recorded.raw.get(..BYTES_SHOWN_MAX).unwrap_or(&recorded.raw);
    let may_prove = caller.check(Access::AllSites(KeyScope::AuditRead), None).is_ok();
    let beside = |seq| format!("/ui/events/{}", Position::new(position.partition, seq));
    page(&EventPage {
        frame: Frame::new(what(&decision.events), Section::Events)
            .below(super::PATH.to_owned(), "Events")
            .below(format!("/ui/events/{position}"), position.to_string()),
        actions: actions(&caller, &recorded),
        is_refusal: decision.events.iter().any(is_refusal),
        why: why(&recorded),
        about: about(&recorded),
        site: site_of(&recorded).map_or_else(String::new, ToString::to_string),
        actor: decision.context.actor.to_string(),
        occurred_at: When(decision.occurred_at()),
        recorded_at: When(decision.recorded_at),
        key: decision
            .request
            .as_ref()
            .map(|request| &request.key)
            .map_or_else(String::new, ToString::to_string),
        offset: recorded.offset.to_string(),
        hash: recorded.hash.to_string(),
        members,
        has_more_members,
        bytes: Number::of(recorded.raw.len()),
        dump: dump(shown),
        has_more_bytes: shown.len() < recorded.raw.len(),
        json: format!("/v1/events/{position}?raw=true"),
        proof: may_prove.then(|| format!("/v1/audit/proof?position={position}")),
        earlier: position.seq.checked_sub(1).filter(|seq| *seq > 0).map(beside),
        later: beside(position.seq.saturating_add(1)),
    })
}

/// Why it was refused, as its caller was told.
fn why(recorded: &Recorded) -> String {
    let refused = recorded.decision.events.iter().find_map(|event| refusal(site_of(recorded), event));
    refused.map_or_else(String::new, |problem| problem.document("", "").detail().to_owned())
}

/// What can be done about it: goods that were set aside can be given free.
fn actions(caller: &Caller, recorded: &Recorded) -> Vec<Action> {
    let holds = recorded.decision.events.iter().find_map(|event| match event {
        Event::StockHeld(held) => Some(&held.hold_id),
        _ => None,
    });
    let held = site_of(recorded).zip(holds);
    held.map_or_else(Vec::new, |(site, hold_id)| forms::of_hold(caller, site, hold_id))
}

/// Every value with the way to it.
fn flatten(value: &Value, way: &mut String, members: &mut Vec<(String, String)>) {
    let length = way.len();
    let mut below = |name: &str, value: &Value| {
        if length > 0 {
            way.push('.');
        }
        way.push_str(name);
        flatten(value, way, members);
        way.truncate(length);
    };
    match value {
        Value::Object(object) => object.iter().for_each(|(name, value)| below(name, value)),
        Value::Array(array) => {
            array.iter().enumerate().for_each(|(index, value)| below(&index.to_string(), value));
        }
        Value::Null => {}
        Value::String(text) => members.push((way.clone(), text.clone())),
        other => members.push((way.clone(), other.to_string())),
    }
}

/// As `hexdump -C` shows bytes.
fn dump(bytes: &[u8]) -> String {
    let mut text = String::new();
    for (line, chunk) in bytes.chunks(BYTES_PER_LINE).enumerate() {
        let hex: Vec<String> = chunk.iter().map(|byte| format!("{byte:02x}")).collect();
        let plain =
            |byte: &u8| if byte.is_ascii_graphic() || *byte == b' ' { char::from(*byte) } else { '.' };
        let plain: String = chunk.iter().map(plain).collect();
        // Writing to a string does not fail.
        let _ = writeln!(text, "{:08x}  {:<47}  {plain}", line * BYTES_PER_LINE, hex.join(" "));
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn members_are_told_with_the_way_to_them() {
        let mut members = Vec::new();
        let value = json!({ "seq": 3, "note": null, "events": [{ "sku": "A", "after": { "on_hand": 5 } }], "ok": true });
        flatten(&value, &mut String::new(), &mut members);
        let told: Vec<String> = members.iter().map(|(way, value)| format!("{way}={value}")).collect();
        assert_eq!(told, ["events.0.after.on_hand=5", "events.0.sku=A", "ok=true", "seq=3"]);
    }

    #[test]
    fn bytes_are_shown_as_numbers_and_as_text() {
        let text = dump(b"stock\0\xffledger, 18 b");
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines,
            [
                "00000000  73 74 6f 63 6b 00 ff 6c 65 64 67 65 72 2c 20 31  stock..ledger, 1",
                "00000010  38 20 62                                         8 b",
            ]
        );
    }
}
