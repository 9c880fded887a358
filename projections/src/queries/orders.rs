//! Orders and their trails.

use std::collections::HashMap;

use serde::Deserialize;
use stockledger_schemas::{CustomerId, OrderId, OrderStatus, Reason, Reference, Sku};

use super::movements::{Direction, changes};
use super::period::{Period, Span};
use super::statement::Statement;
use super::{Moment, Queries, Result, no_page, nothing_yet, one_more, page, seq_of};
use crate::lines;
use crate::rows::OrderRow;
use crate::store::Error;
use crate::value::{Fields, Value};
use crate::views::{Answer, KnownSite, Order, Page, TrailLine, TrailStep};

const ORDER_COLUMNS: &str = "o.site, o.order_id, o.status, o.customer, o.currency, o.placed_seq, o.placed_at, \
                             o.occurred_at, o.line_count, o.order_lines, o.seq";

/// The steps of an order. The keys come from the index alone, the rows by key, as in a page of movements.
pub(super) const TRAIL_PAGE: &str = "\
    SELECT t.seq, t.type, t.recorded_at, t.occurred_at, t.actor, t.reason, t.note, t.reference_type, t.reference_id, \
    t.idempotency_key, t.correlation_id, t.detail \
    FROM (SELECT site, seq FROM {trail} WHERE site = ? AND order_id = ? AND seq > ? ORDER BY seq LIMIT ?) k \
    JOIN {trail} t ON t.site = k.site AND t.seq = k.seq ORDER BY t.seq";

/// What the steps of an order moved, of those after one up to another, and not what was done together with them. The inner
/// limit is there for databases that would merge the inner query into the outer one and then begin with the movements.
pub(super) const TRAIL_LINES: &str = "\
    SELECT m.seq, m.sku, m.d_on_hand, m.d_reserved, m.d_held, m.on_hand, m.reserved, m.held \
    FROM (SELECT site, seq FROM {trail} WHERE site = ? AND order_id = ? AND seq > ? AND seq <= ? \
    ORDER BY seq LIMIT 1000000) k \
    JOIN {movements} m ON m.site = k.site AND m.seq = k.seq WHERE m.order_id = ? ORDER BY m.seq, m.line";

/// Lines of the orders or steps of one page, one order or step more or less: a page of many long ones ends early, and has a
/// next one.
const PAGE_LINES_MAX: usize = 20_000;

/// Orders that are looked at for one page, where no index knows which of them are asked for.
pub const ORDERS_LOOKED_AT_MAX: u32 = 10_000;

/// Which orders.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OrderFilter {
    /// Those that stand like this.
    pub status: Option<OrderStatus>,
    /// Those of this customer.
    pub customer: Option<CustomerId>,
    /// Those with a line of this item.
    pub sku: Option<Sku>,
    /// Those that were placed, or happened, in this period.
    pub period: Period,
}

/// A list of orders while it is asked for.
struct Listed<'a> {
    known: &'a KnownSite,
    filter: &'a OrderFilter,
    direction: Direction,
    span: Span,
    after: Option<u64>,
}

impl Listed<'_> {
    /// Whether only so many orders are looked at.
    fn is_bounded(&self) -> bool {
        let (from, to) = self.filter.period.occurred();
        self.filter.customer.is_some() || self.filter.sku.is_some() || from.is_some() || to.is_some()
    }

    /// One page, and one row more.
    fn page(&self, limit: u32) -> Statement {
        let order = self.direction.order();
        let limited =
            Statement::new(&format!(" ORDER BY o.placed_seq {order} LIMIT ?"), [one_more(limit).into()]);
        if !self.is_bounded() {
            let all = Statement::new(&format!("SELECT {ORDER_COLUMNS} FROM {{orders}} o"), []);
            return all.then(self.keys()).then(limited);
        }
        let (from, to) = self.filter.period.occurred();
        let line = self.filter.sku.as_ref().map(|sku| Value::Text(lines::begin(sku)));
        Statement::new(
            &format!("SELECT {ORDER_COLUMNS} FROM (SELECT o.site, o.order_id FROM {{orders}} o"),
            [],
        )
        .then(self.keys())
        .and(&format!(" ORDER BY o.placed_seq {order} LIMIT ?) k "), [ORDERS_LOOKED_AT_MAX.into()])
        .and("JOIN {orders} o ON o.site = k.site AND o.order_id = k.order_id WHERE 1 = 1", [])
        .if_some(" AND o.customer = ?", self.filter.customer.as_ref().map(Value::from))
        .if_some(" AND INSTR(o.order_lines, ?) > 0", line)
        .if_some(" AND o.occurred_at >= ?", from)
        .if_some(" AND o.occurred_at < ?", to)
        .then(limited)
    }

    /// The last order that is looked at, if there are more behind it.
    fn last_looked_at(&self) -> Statement {
        let order = self.direction.order();
        let skipped = Value::from(ORDERS_LOOKED_AT_MAX - 1);
        Statement::new("SELECT o.placed_seq FROM {orders} o", [])
            .then(self.keys())
            .and(&format!(" ORDER BY o.placed_seq {order} LIMIT 1 OFFSET ?"), [skipped])
    }

    /// What an index knows of it.
    fn keys(&self) -> Statement {
        let Span { after, up_to } = self.span;
        let (after, up_to) = match (self.direction, self.after) {
            (_, None) => (after, up_to),
            (Direction::NewestFirst, Some(key)) => (after, up_to.min(key.saturating_sub(1))),
            (Direction::OldestFirst, Some(key)) => (after.max(key), up_to),
        };
        let status = self.filter.status.map(|status| Value::Text(status.as_str().to_owned()));
        Statement::new(" WHERE o.site = ?", [(&self.known.site).into()])
            .if_some(" AND o.status = ?", status)
            .and(" AND o.placed_seq > ? AND o.placed_seq <= ?", [Value::from(after), Value::from(up_to)])
    }
}

impl Queries {
    /// An order, accepted or refused, with its lines.
    ///
    /// # Errors
    /// As [`Queries::site`].
    pub async fn order(&self, known: &KnownSite, order_id: &OrderId) -> Result<Option<Answer<Order>>> {
        let Some(mut moment) = self.moment(known.partition).await? else { return Ok(None) };
        let Some(row) = order_row(&mut moment, known, order_id).await? else { return Ok(None) };
        let order = order(&moment, row)?;
        Ok(Some(moment.answer(order)))
    }

    /// Orders of a site by when they were placed, beginning behind one; `after` is the key of the page before. An order that
    /// was refused and is placed anew takes its new place.
    ///
    /// Filters that no index answers look at [`ORDERS_LOOKED_AT_MAX`] orders for a page, which may then hold fewer than it
    /// could, or none, and still have a next one: however rare it is what is asked for, a page takes a bounded time.
    ///
    /// # Errors
    /// As [`Queries::site`].
    pub async fn orders(
        &self,
        known: &KnownSite,
        filter: &OrderFilter,
        direction: Direction,
        after: Option<u64>,
        limit: u32,
    ) -> Result<Answer<Page<Order, u64>>> {
        let Some(mut moment) = self.moment(known.partition).await? else {
            return Ok(nothing_yet(known.partition, no_page()));
        };
        let span = moment.span_of(&known.site, &filter.period).await?;
        let listed = Listed { known, filter, direction, span, after };
        let Statement { sql, parameters } = listed.page(limit);
        let rows = moment.select(&sql, parameters).await?;
        let (mut orders, mut lines): (Vec<(u64, Order)>, usize) = (Vec::new(), 0);
        let mut rows = rows.into_iter();
        for fields in rows.by_ref() {
            let order = placed_order(&moment, fields)?;
            lines += order.1.lines.len();
            orders.push(order);
            if lines >= PAGE_LINES_MAX {
                break;
            }
        }
        let cut_behind = orders.last().filter(|_| rows.len() > 0).map(|(placed_seq, _)| *placed_seq);
        let Page { mut data, mut next } = page(orders, limit, |(placed_seq, _)| *placed_seq);
        next = next.or(cut_behind);
        if next.is_none() && listed.is_bounded() {
            let Statement { sql, parameters } = listed.last_looked_at();
            let last = moment.select_one(&sql, parameters).await?;
            next = last.map(|mut fields| fields.number()).transpose()?;
        }
        // What the text of the lines was searched for is looked at again in the lines themselves.
        data.retain(|(_, order)| {
            filter.sku.as_ref().is_none_or(|sku| order.lines.iter().any(|line| line.sku == *sku))
        });
        let data = data.into_iter().map(|(_, order)| order).collect();
        Ok(moment.answer(Page { data, next }))
    }

    /// Everything that was decided about an order, oldest first, beginning after a sequence number. Empty if nothing ever
    /// was. A page of steps with very many lines ends early.
    ///
    /// # Errors
    /// As [`Queries::site`].
    pub async fn order_trail(
        &self,
        known: &KnownSite,
        order_id: &OrderId,
        after: Option<u64>,
        limit: u32,
    ) -> Result<Answer<Page<TrailStep, u64>>> {
        let Some(mut moment) = self.moment(known.partition).await? else {
            return Ok(nothing_yet(known.partition, no_page()));
        };
        let from = after.unwrap_or(0);
        let parameters =
            vec![(&known.site).into(), order_id.into(), Value::from(from), one_more(limit).into()];
        let rows = moment.select(TRAIL_PAGE, parameters).await?;
        let steps = rows.into_iter().map(|fields| step(&moment, fields)).collect::<Result<_>>()?;
        let mut page = page(steps, limit, |step: &TrailStep| step.position.seq);
        let accepted = order_row(&mut moment, known, order_id).await?;
        if let Some(accepted) = accepted.filter(|row| row.status != OrderStatus::Refused) {
            let placed = moment.position(seq_of(accepted.placed_seq)?);
            page.data
                .iter_mut()
                .filter(|step| is_of_accepted(step))
                .for_each(|step| step.causation = Some(placed));
        }
        if let Some(last) = page.data.last().map(|step| step.position.seq) {
            let (mut lines, whole_before) = moved_lines(&mut moment, known, order_id, (from, last)).await?;
            for step in &mut page.data {
                step.lines.extend(lines.remove(&step.position.seq).unwrap_or_default());
            }
            end_early(&mut page, whole_before);
        }
        Ok(moment.answer(page))
    }
}

/// The row of an order, if it was ever placed.
pub(super) async fn order_row(
    moment: &mut Moment,
    known: &KnownSite,
    order_id: &OrderId,
) -> Result<Option<OrderRow>> {
    let sql = format!("SELECT {ORDER_COLUMNS} FROM {{orders}} o WHERE o.site = ? AND o.order_id = ?");
    let row = moment.select_one(&sql, vec![(&known.site).into(), order_id.into()]).await?;
    row.map(OrderRow::read).transpose()
}

/// An order behind the number of the decision that placed it.
fn placed_order(moment: &Moment, fields: Fields) -> Result<(u64, Order)> {
    let row = OrderRow::read(fields)?;
    Ok((seq_of(row.placed_seq)?, order(moment, row)?))
}

fn order(moment: &Moment, row: OrderRow) -> Result<Order> {
    Ok(Order {
        lines: lines::from_text(&row.lines)?,
        site: row.site,
        order_id: row.order_id,
        status: row.status,
        customer: row.customer,
        currency: row.currency,
        placed_at: row.placed_at,
        occurred_at: row.occurred_at,
        position: moment.position(seq_of(row.seq)?),
    })
}

fn step(moment: &Moment, mut fields: Fields) -> Result<TrailStep> {
    let position = moment.position(fields.number()?);
    let kind: String = fields.text()?;
    let mut step = TrailStep {
        position,
        recorded_at: fields.time()?,
        occurred_at: fields.time()?,
        actor: fields.text()?,
        reason: fields.optional_word("a reason", Reason::from_word)?,
        note: fields.optional_text()?,
        reference: reference(&mut fields)?,
        idempotency_key: fields.optional_text()?,
        correlation_id: fields.optional_text()?,
        causation: None,
        lines: Vec::new(),
        refused: None,
        kind,
    };
    if let Some(detail) = fields.optional_text::<String>()? {
        add_detail(&mut step, &detail)?;
    }
    Ok(step)
}

pub(super) fn reference(fields: &mut Fields) -> Result<Option<Reference>> {
    let (kind, id) = (fields.optional_text()?, fields.optional_text()?);
    Ok(kind.zip(id).map(|(kind, id)| Reference { kind, id }))
}

/// What the trail's `detail` says of an order that was short of goods.
#[derive(Deserialize)]
struct Shortages {
    lines: Vec<Shortage>,
}

#[derive(Deserialize)]
struct Shortage {
    sku: Sku,
    requested: i64,
    available: i64,
}

fn refused_line(Shortage { sku, requested, available }: Shortage) -> TrailLine {
    TrailLine::Refused { sku, requested, available }
}

/// Whether a step is one that only an accepted order can take.
fn is_of_accepted(step: &TrailStep) -> bool {
    matches!(step.kind.as_str(), "order_shipped" | "order_cancelled" | "order_returned")
}

fn add_detail(step: &mut TrailStep, detail: &str) -> Result<()> {
    let unreadable = |_| Error::Unreadable { expected: "the detail of a decision", found: detail.to_owned() };
    match step.kind.as_str() {
        "out_of_stock" => {
            let Shortages { lines } = serde_json::from_str(detail).map_err(unreadable)?;
            step.lines = lines.into_iter().map(refused_line).collect();
        }
        "command_refused" => step.refused = Some(serde_json::from_str(detail).map_err(unreadable)?),
        _ => {}
    }
    Ok(())
}

/// Ends a page of steps where it has enough lines, and in front of the first step of which some are missing.
fn end_early(page: &mut Page<TrailStep, u64>, whole_before: u64) {
    let mut lines = 0;
    let fits = |step: &&TrailStep| {
        let fits = lines < PAGE_LINES_MAX && step.position.seq < whole_before;
        lines += step.lines.len();
        fits
    };
    let fitting = page.data.iter().take_while(fits).count();
    if fitting < page.data.len() {
        page.data.truncate(fitting);
        page.next = page.data.last().map(|step| step.position.seq);
    }
}

/// What the decisions about an order moved, by decision, for those after `from` up to `to`; and the decision before which
/// none is missing, because as many were read as one page may have.
async fn moved_lines(
    moment: &mut Moment,
    known: &KnownSite,
    order_id: &OrderId,
    (from, to): (u64, u64),
) -> Result<(HashMap<u64, Vec<TrailLine>>, u64)> {
    let parameters = vec![
        (&known.site).into(),
        order_id.into(),
        Value::from(from),
        Value::from(to),
        order_id.into(),
        Value::from(PAGE_LINES_MAX as u64),
    ];
    let rows = moment.select(&format!("{TRAIL_LINES} LIMIT ?"), parameters).await?;
    let is_whole = rows.len() < PAGE_LINES_MAX;
    let (mut lines, mut last): (HashMap<u64, Vec<TrailLine>>, u64) = (HashMap::new(), from);
    for mut fields in rows {
        let seq = fields.number()?;
        last = seq;
        let sku = fields.text()?;
        let (delta, after) = changes(&mut fields)?;
        let quantity = delta.on_hand.abs().max(delta.reserved.abs()).max(delta.held.abs());
        lines.entry(seq).or_default().push(TrailLine::Moved { sku, quantity, delta, after });
    }
    Ok((lines, if is_whole { u64::MAX } else { last }))
}
