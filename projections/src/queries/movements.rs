//! The history of an item at a site.

use stockledger_schemas::{Reason, Sku};

use super::orders::reference;
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

/// The keys of the page come from the index alone, their rows by key: a database that is left the choice may read the
/// whole history of the site instead. The condition on `seq` is what the index is entered by; the one behind it leaves out
/// the rest of the decision itself.
pub(super) const MOVEMENTS_PAGE: &str = "\
    SELECT m.seq, m.line, m.type, m.order_id, t.reason, t.occurred_at, t.recorded_at, t.actor, t.note, \
    t.reference_type, t.reference_id, m.d_on_hand, m.d_reserved, m.d_held, m.on_hand, m.reserved, m.held \
    FROM (SELECT site, seq, line FROM {movements} \
    WHERE site = ? AND sku = ? AND seq {sign}= ? AND (seq {sign} ? OR line {sign} ?) \
    ORDER BY seq {order}, line {order} LIMIT ?) k \
    JOIN {movements} m ON m.site = k.site AND m.seq = k.seq AND m.line = k.line \
    JOIN {trail} t ON t.site = k.site AND t.seq = k.seq \
    ORDER BY m.seq {order}, m.line {order}";

impl Queries {
    /// Every change of an item's balances at a site, in one direction, beginning behind a movement.
    ///
    /// # Errors
    /// As [`Queries::site`].
    pub async fn movements(
        &self,
        known: &KnownSite,
        sku: &Sku,
        direction: Direction,
        after: Option<MovementKey>,
        limit: u32,
    ) -> Result<Answer<Page<Movement, MovementKey>>> {
        let Some(mut moment) = self.moment(known.partition).await? else {
            return Ok(nothing_yet(known.partition, no_page()));
        };
        let (sign, order, begin) = match direction {
            Direction::NewestFirst => ("<", "DESC", MovementKey { seq: u64::MAX, line: u64::MAX }),
            Direction::OldestFirst => (">", "ASC", MovementKey { seq: 0, line: 0 }),
        };
        let sql = MOVEMENTS_PAGE.replace("{sign}", sign).replace("{order}", order);
        let key = after.unwrap_or(begin);
        let parameters = vec![
            (&known.site).into(),
            sku.into(),
            Value::from(key.seq),
            Value::from(key.seq),
            Value::from(key.line),
            one_more(limit).into(),
        ];
        let rows = moment.select(&sql, parameters).await?;
        let movements = rows.into_iter().map(|fields| movement(&moment, fields)).collect::<Result<_>>()?;
        Ok(moment.answer(page(movements, limit, key_of)))
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
