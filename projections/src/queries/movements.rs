//! The history of an item at a site.

use stockledger_schemas::{Actor, Reason, SiteId, Sku};

use super::orders::reference;
use super::period::{Period, Span};
use super::statement::Statement;
use super::{Moment, Queries, Result, no_page, nothing_yet, one_more, page};
use crate::value::{Fields, Value};
use crate::views::{Answer, BalanceChange, KnownSite, Movement, Page};

/// Which end of history comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Direction {
    /// The last movement first.
    #[default]
    NewestFirst,
    /// The first movement first.
    OldestFirst,
}

/// The place of a movement in the history of its site.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct MovementKey {
    /// The decision.
    pub seq: u64,
    /// Which change of that decision.
    pub line: u64,
}

/// Which movements.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MovementFilter {
    /// Those of this event.
    pub kind: Option<String>,
    /// Those for this reason.
    pub reason: Option<Reason>,
    /// Those that somebody did.
    pub actor: Option<Actor>,
    /// Those that were recorded, or happened, in this period.
    pub period: Period,
}

/// Movements that are looked at for one page, where no index knows which of them are asked for.
pub const MOVEMENTS_LOOKED_AT_MAX: u32 = 10_000;

/// The page behind its keys.
const ROWS: &str = "\
    SELECT m.seq, m.line, m.type, m.order_id, t.reason, t.occurred_at, t.recorded_at, t.actor, t.note, \
    t.reference_type, t.reference_id, m.d_on_hand, m.d_reserved, m.d_held, m.on_hand, m.reserved, m.held \
    FROM (SELECT site, seq, line FROM {movements}";
const OF_KEYS: &str = ") k \
    JOIN {movements} m ON m.site = k.site AND m.seq = k.seq AND m.line = k.line \
    JOIN {trail} t ON t.site = k.site AND t.seq = k.seq WHERE 1 = 1";

/// A list of movements while it is asked for.
pub(super) struct Listed<'a> {
    pub(super) site: &'a SiteId,
    pub(super) sku: &'a Sku,
    pub(super) filter: &'a MovementFilter,
    pub(super) direction: Direction,
    pub(super) span: Span,
    pub(super) after: Option<MovementKey>,
}

impl Direction {
    pub(super) const fn order(self) -> &'static str {
        match self {
            Self::NewestFirst => "DESC",
            Self::OldestFirst => "ASC",
        }
    }
}

impl Listed<'_> {
    /// Whether only so many movements are looked at.
    fn is_bounded(&self) -> bool {
        let MovementFilter { kind, reason, actor, period } = self.filter;
        let (from, to) = period.occurred();
        kind.is_some() || reason.is_some() || actor.is_some() || from.is_some() || to.is_some()
    }

    /// One page, and one row more. The keys come from the index alone, their rows by key: a database that is left the
    /// choice may read the whole history of the site instead.
    pub(super) fn page(&self, limit: u32) -> Statement {
        let keys = if self.is_bounded() { MOVEMENTS_LOOKED_AT_MAX } else { one_more(limit) };
        let (from, to) = self.filter.period.occurred();
        let order = self.direction.order();
        Statement::new(ROWS, [])
            .then(self.keys())
            .and(" LIMIT ?", [keys.into()])
            .and(OF_KEYS, [])
            .if_some(" AND m.type = ?", self.filter.kind.as_ref().map(Value::from))
            .if_some(
                " AND t.reason = ?",
                self.filter.reason.map(|reason| Value::Text(reason.as_str().to_owned())),
            )
            .if_some(" AND t.actor = ?", self.filter.actor.as_ref().map(Value::from))
            .if_some(" AND t.occurred_at >= ?", from)
            .if_some(" AND t.occurred_at < ?", to)
            .and(&format!(" ORDER BY m.seq {order}, m.line {order} LIMIT ?"), [one_more(limit).into()])
    }

    /// The last movement that is looked at, if there are more behind it.
    fn last_looked_at(&self) -> Statement {
        let skipped = Value::from(MOVEMENTS_LOOKED_AT_MAX - 1);
        Statement::new("SELECT seq, line FROM {movements}", [])
            .then(self.keys())
            .and(" LIMIT 1 OFFSET ?", [skipped])
    }

    /// What the index knows of it. The condition on `seq` is what the index is entered by; the one behind it leaves out the
    /// rest of the decision itself.
    fn keys(&self) -> Statement {
        let Span { after, up_to } = self.span;
        let (sign, begin, end) = match self.direction {
            Direction::NewestFirst => {
                ("<", MovementKey { seq: up_to, line: u64::MAX }, after.saturating_add(1))
            }
            Direction::OldestFirst => (">", MovementKey { seq: after, line: u64::MAX }, up_to),
        };
        let (key, back, order) = (self.after.unwrap_or(begin), opposite(sign), self.direction.order());
        let [seq, line] = [key.seq, key.line].map(Value::from);
        Statement::new(" WHERE site = ? AND sku = ?", [self.site.into(), self.sku.into()])
            .and(&format!(" AND seq {sign}= ? AND (seq {sign} ? OR line {sign} ?)"), [seq.clone(), seq, line])
            .and(&format!(" AND seq {back}= ?"), [Value::from(end)])
            .and(&format!(" ORDER BY seq {order}, line {order}"), [])
    }
}

fn opposite(sign: &str) -> &'static str {
    if sign == "<" { ">" } else { "<" }
}

impl Queries {
    /// Changes of an item's balances at a site, in one direction, beginning behind a movement. With filters, a page looks
    /// at [`MOVEMENTS_LOOKED_AT_MAX`] movements, and may hold fewer than it could and still have a next one.
    ///
    /// # Errors
    /// As [`Queries::site`].
    pub async fn movements(
        &self,
        (known, sku): (&KnownSite, &Sku),
        filter: &MovementFilter,
        direction: Direction,
        after: Option<MovementKey>,
        limit: u32,
    ) -> Result<Answer<Page<Movement, MovementKey>>> {
        let Some(mut moment) = self.moment(known.partition).await? else {
            return Ok(nothing_yet(known.partition, no_page()));
        };
        let span = moment.span_of(&known.site, &filter.period).await?;
        let listed = Listed { site: &known.site, sku, filter, direction, span, after };
        let Statement { sql, parameters } = listed.page(limit);
        let rows = moment.select(&sql, parameters).await?;
        let movements = rows.into_iter().map(|fields| movement(&moment, fields)).collect::<Result<_>>()?;
        let mut page = page(movements, limit, key_of);
        if page.next.is_none() && listed.is_bounded() {
            let Statement { sql, parameters } = listed.last_looked_at();
            let last = moment.select_one(&sql, parameters).await?;
            let key = |mut fields: Fields| Ok(MovementKey { seq: fields.number()?, line: fields.number()? });
            page.next = last.map(key).transpose()?;
        }
        Ok(moment.answer(page))
    }
}

fn key_of(movement: &Movement) -> MovementKey {
    MovementKey { seq: movement.position.seq, line: u64::try_from(movement.line).unwrap_or(0) }
}

pub(super) fn movement(moment: &Moment, mut fields: Fields) -> Result<Movement> {
    let position = moment.position(fields.number()?);
    let line = fields.int()?;
    let kind = fields.text()?;
    let order_id = fields.optional_text()?;
    let reason = fields.optional_word("a reason", Reason::from_word)?;
    let (occurred_at, recorded_at) = (fields.time()?, fields.time()?);
    let (actor, note) = (fields.text()?, fields.optional_text()?);
    let reference = reference(&mut fields)?;
    let (delta, after) = changes(&mut fields)?;
    Ok(Movement {
        position,
        line,
        kind,
        reason,
        delta,
        after,
        order_id,
        occurred_at,
        recorded_at,
        actor,
        note,
        reference,
    })
}

/// Six fields: the change of each balance, then each balance after it.
pub(super) fn changes(fields: &mut Fields) -> Result<(BalanceChange, BalanceChange)> {
    Ok((change(fields)?, change(fields)?))
}

pub(super) fn change(fields: &mut Fields) -> Result<BalanceChange> {
    Ok(BalanceChange { on_hand: fields.int()?, reserved: fields.int()?, held: fields.int()? })
}
