//! Why a stock level is what it is: every movement behind it, summed up by what happened and why, and set against it.
//!
//! The level comes from the balances that were written down, the sums from the differences: two ways to one number.

use std::collections::HashMap;

use stockledger_schemas::{HoldReason, Reason, Sku};

use super::movements::{change, movement};
use super::past::Point;
use super::stock::by_reason;
use super::{Moment, Queries, Result};
use crate::held::Held;
use crate::store::Error;
use crate::value::{Fields, Value};
use crate::views::{
    BalanceChange, Explanation, Hold, KnownSite, Movement, Part, Place, Reservation, Reservations,
    StockLevel, Sums,
};

/// Movements that are shown of each part.
pub const NEWEST_MAX: u32 = 5;
/// Reservations that are shown.
pub const RESERVATIONS_MAX: u32 = 50;

/// The movements of an item up to a decision, from the index alone. The limit is there for databases that would merge this
/// into the query around it and might then begin with all decisions of the site.
const KEYS: &str = "(SELECT site, seq, line FROM {movements} WHERE site = ? AND sku = ? AND seq <= ? \
    LIMIT 9223372036854775807) k JOIN {movements} m ON m.site = k.site AND m.seq = k.seq AND m.line = k.line";

const WITH_TRAIL: &str = "JOIN {trail} t ON t.site = k.site AND t.seq = k.seq";

pub(super) fn parts_sql() -> String {
    format!(
        "SELECT m.type, t.reason, CAST(SUM(m.d_on_hand) AS SIGNED), CAST(SUM(m.d_reserved) AS SIGNED), \
         CAST(SUM(m.d_held) AS SIGNED), COUNT(*), COUNT(DISTINCT m.order_id), MIN(m.seq), MIN(t.recorded_at), \
         MAX(m.seq), MAX(t.recorded_at) FROM {KEYS} {WITH_TRAIL} GROUP BY m.type, t.reason ORDER BY MIN(m.seq), m.type"
    )
}

pub(super) fn newest_sql() -> String {
    format!(
        "SELECT m.seq, m.line, m.type, m.order_id, t.reason, t.occurred_at, t.recorded_at, t.actor, t.note, \
         t.reference_type, t.reference_id, m.d_on_hand, m.d_reserved, m.d_held, m.on_hand, m.reserved, m.held \
         FROM (SELECT r.site, r.seq, r.line FROM (SELECT k.site, k.seq, k.line, \
         ROW_NUMBER() OVER (PARTITION BY m.type, t.reason ORDER BY k.seq DESC, k.line DESC) AS place \
         FROM {KEYS} {WITH_TRAIL}) r WHERE r.place <= ? LIMIT 1000000) n \
         JOIN {{movements}} m ON m.site = n.site AND m.seq = n.seq AND m.line = n.line \
         JOIN {{trail}} t ON t.site = n.site AND t.seq = n.seq ORDER BY m.seq DESC, m.line DESC"
    )
}

/// What is left of what was promised, by order.
const OPEN: &str = "SELECT m.order_id, MIN(m.seq) AS seq, CAST(SUM(m.d_reserved) AS SIGNED) AS quantity \
    FROM {keys} WHERE m.d_reserved <> 0 GROUP BY m.order_id HAVING SUM(m.d_reserved) <> 0";

pub(super) fn reserved_sql() -> String {
    let open = OPEN.replace("{keys}", KEYS);
    format!("SELECT COUNT(*), CAST(COALESCE(SUM(o.quantity), 0) AS SIGNED) FROM ({open}) o")
}

pub(super) fn reservations_sql() -> String {
    let open = OPEN.replace("{keys}", KEYS);
    format!(
        "SELECT o.order_id, o.quantity, t.seq, t.recorded_at FROM ({open} ORDER BY seq LIMIT ?) o \
         JOIN {{trail}} t ON t.site = ? AND t.seq = o.seq ORDER BY o.seq"
    )
}

pub(super) fn holds_sql() -> String {
    format!(
        "SELECT m.held_reason, CAST(SUM(m.d_held) AS SIGNED), \
         CAST(SUM(CASE WHEN m.d_held > 0 THEN m.d_held ELSE 0 END) AS SIGNED), COUNT(*) \
         FROM {KEYS} WHERE m.held_reason IS NOT NULL GROUP BY m.held_reason"
    )
}

impl Queries {
    /// Why the level of an item at a site is what it is, or was what it was then; nothing if it was never seen there.
    ///
    /// It reads every movement of the item up to then.
    ///
    /// # Errors
    /// As [`Queries::site`].
    pub async fn explain(
        &self,
        known: &KnownSite,
        sku: &Sku,
        then: Option<Point>,
    ) -> Result<Option<Explanation>> {
        let Some(mut moment) = self.moment(known.partition).await? else { return Ok(None) };
        let level = match then {
            None => moment.level_now(&known.site, sku).await?,
            Some(point) => moment.level_recorded(&known.site, sku, point).await?.map(|found| found.level),
        };
        let Some(level) = level else { return Ok(None) };
        moment.explanation(level).await.map(Some)
    }
}

impl Moment {
    async fn explanation(&mut self, level: StockLevel) -> Result<Explanation> {
        let behind =
            vec![Value::from(&level.site), Value::from(&level.sku), Value::from(level.at.position.seq)];
        let mut parts = self.parts(&behind).await?;
        let holds = self.holds(&behind).await?;
        let reservations = self.reservations(&level, &behind).await?;
        let sums = sums(&parts, &holds);
        let is_opening = |part: &Part| part.reason == Some(Reason::OpeningBalance);
        let opening = match parts.iter().position(is_opening) {
            Some(place) => parts.remove(place),
            None => no_opening(),
        };
        let adds_up = adds_up(&level, &sums, &reservations);
        Ok(Explanation { level, adds_up, sums, opening, parts, reservations, holds })
    }

    async fn parts(&mut self, behind: &[Value]) -> Result<Vec<Part>> {
        let rows = self.select(&parts_sql(), behind.to_vec()).await?;
        let mut parts = rows.into_iter().map(|fields| part(self, fields)).collect::<Result<Vec<_>>>()?;
        let parameters = behind.iter().cloned().chain([NEWEST_MAX.into()]).collect();
        let mut newest: HashMap<(String, Option<Reason>), Vec<Movement>> = HashMap::new();
        for fields in self.select(&newest_sql(), parameters).await? {
            let movement = movement(self, fields)?;
            newest.entry((movement.kind.clone(), movement.reason)).or_default().push(movement);
        }
        for part in &mut parts {
            part.newest = newest.remove(&(part.kind.clone(), part.reason)).unwrap_or_default();
        }
        Ok(parts)
    }

    async fn holds(&mut self, behind: &[Value]) -> Result<Vec<Hold>> {
        let rows = self.select(&holds_sql(), behind.to_vec()).await?;
        let mut holds = rows.into_iter().map(hold).collect::<Result<Vec<_>>>()?;
        holds.sort_unstable_by_key(|hold| hold.reason);
        Ok(holds)
    }

    async fn reservations(&mut self, level: &StockLevel, behind: &[Value]) -> Result<Reservations> {
        let all = self.select_one(&reserved_sql(), behind.to_vec()).await?;
        let missing = || Error::Unreadable { expected: "a sum", found: "nothing".to_owned() };
        let mut all = all.ok_or_else(missing)?;
        let (orders, quantity) = (all.number()?, all.int()?);
        if orders == 0 {
            return Ok(Reservations { quantity, orders, oldest: Vec::new() });
        }
        let more = [RESERVATIONS_MAX.into(), Value::from(&level.site)];
        let parameters = behind.iter().cloned().chain(more).collect();
        let rows = self.select(&reservations_sql(), parameters).await?;
        let oldest = rows.into_iter().map(|fields| reservation(self, fields)).collect::<Result<_>>()?;
        Ok(Reservations { quantity, orders, oldest })
    }
}

fn part(moment: &Moment, mut fields: Fields) -> Result<Part> {
    let kind = fields.text()?;
    let reason = fields.optional_word("a reason", Reason::from_word)?;
    let delta = change(&mut fields)?;
    let (movements, orders) = (fields.number()?, fields.number()?);
    let first = Some(place(moment, &mut fields)?);
    let last = Some(place(moment, &mut fields)?);
    Ok(Part { kind, reason, delta, movements, orders, first, last, newest: Vec::new() })
}

fn place(moment: &Moment, fields: &mut Fields) -> Result<Place> {
    Ok(Place { position: moment.position(fields.number()?), recorded_at: fields.time()? })
}

fn hold(mut fields: Fields) -> Result<Hold> {
    let reason = fields.word("a hold reason", HoldReason::from_word)?;
    let (quantity, set_aside) = (fields.int()?, fields.int()?);
    let movements = fields.number()?;
    Ok(Hold { reason, quantity, set_aside, released: set_aside - quantity, movements })
}

fn reservation(moment: &Moment, mut fields: Fields) -> Result<Reservation> {
    let (order_id, quantity) = (fields.text()?, fields.int()?);
    Ok(Reservation { order_id, quantity, placed: place(moment, &mut fields)? })
}

fn no_opening() -> Part {
    Part {
        kind: "stock_received".to_owned(),
        reason: Some(Reason::OpeningBalance),
        delta: BalanceChange { on_hand: 0, reserved: 0, held: 0 },
        movements: 0,
        orders: 0,
        first: None,
        last: None,
        newest: Vec::new(),
    }
}

fn sums(parts: &[Part], holds: &[Hold]) -> Sums {
    let mut held = Held::default();
    for hold in holds {
        held[hold.reason.index()] = hold.quantity;
    }
    Sums {
        on_hand: parts.iter().map(|part| part.delta.on_hand).sum(),
        reserved: parts.iter().map(|part| part.delta.reserved).sum(),
        held: parts.iter().map(|part| part.delta.held).sum(),
        held_by_reason: by_reason(held),
    }
}

fn adds_up(level: &StockLevel, sums: &Sums, reservations: &Reservations) -> bool {
    let told = (level.on_hand, level.reserved, level.held, level.held_by_reason);
    told == (sums.on_hand, sums.reserved, sums.held, sums.held_by_reason)
        && reservations.quantity == level.reserved
}
