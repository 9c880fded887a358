//! Rows to try a store with: plain ones, and ones at every limit.

use stockledger_schemas::{
    Hash, HoldReason, Note, OrderStatus, PartitionId, Reason, Reference, SiteId, Sku, Timestamp, limits,
};

use crate::changes::Changes;
use crate::checkpoint::Checkpoint;
use crate::rows::{HomeRow, ItemRow, MovementRow, OrderRow, SiteRow, StockRow, TrailRow};

pub(super) fn at(micros: i64) -> Timestamp {
    Timestamp::from_micros(micros).unwrap()
}

pub(super) fn site(site: &str) -> SiteId {
    site.parse().unwrap()
}

pub(super) fn sku(sku: &str) -> Sku {
    sku.parse().unwrap()
}

pub(super) fn checkpoint(partition: PartitionId, next_offset: u64) -> Checkpoint {
    Checkpoint {
        partition,
        next_offset,
        term: 3,
        seq: next_offset - 1,
        hash: Hash([0xab; 32]),
        before: Hash([0xcd; 32]),
        reach: 4_095,
        last_valid_offset: next_offset - 1,
        genesis: Hash([0x0f; 32]),
        recorded_at: Some(at(1_259_653_500_000_000)),
        digest: 17,
        is_loaded: true,
    }
}

pub(super) fn stock(site_id: &str, sku_id: &str, on_hand: i64) -> StockRow {
    StockRow { on_hand, ..StockRow::nothing(site(site_id), sku(sku_id)) }
}

pub(super) fn order(site_id: &str, order_id: &str) -> OrderRow {
    OrderRow {
        site: site(site_id),
        order_id: order_id.parse().unwrap(),
        status: OrderStatus::Placed,
        customer: Some("c-1".parse().unwrap()),
        currency: Some("EUR".parse().unwrap()),
        placed_seq: 1,
        placed_at: at(2),
        occurred_at: at(1),
        line_count: 1,
        lines: r#"[["A",3,2,1,1,250]]"#.to_owned(),
        seq: 1,
    }
}

pub(super) fn movement(site_id: &str, seq: i64, line: i64, sku_id: &str) -> MovementRow {
    MovementRow {
        site: site(site_id),
        seq,
        line,
        sku: sku(sku_id),
        kind: "stock_received",
        delta: [1, 0, 0],
        after: [line + 1, 0, 0],
        held_by_reason: None,
        held_reason: None,
        occurred_at: at(1),
        order_id: None,
    }
}

pub(super) fn trail(site_id: &str, seq: i64) -> TrailRow {
    TrailRow {
        site: site(site_id),
        seq,
        kind: "note_recorded",
        order_id: None,
        recorded_at: at(seq),
        occurred_at: at(seq),
        actor: "tester".parse().unwrap(),
        reason: None,
        note: None,
        reference: None,
        idempotency_key: None,
        correlation_id: None,
        detail: None,
    }
}

fn longest(letter: char, bytes: usize) -> String {
    std::iter::repeat_n(letter, bytes).collect()
}

/// One ordinary and one extreme row in every table, sorted by key.
pub(super) fn extreme_changes() -> Changes {
    let most = limits::QUANTITY_MAX;
    let (first, last) = (site("s"), site(&longest('z', SiteId::BYTES_MAX)));
    let unicode = "Größe „L“ — 北京 🦀 'quoted' \"twice\" \\ % _ ; --";
    let long_sku = sku(&longest('~', Sku::BYTES_MAX));
    let homes = vec![
        HomeRow { site: first.clone(), partition: PartitionId(0), seq: 1 },
        HomeRow { site: last.clone(), partition: PartitionId(limits::PARTITIONS_MAX - 1), seq: i64::MAX },
    ];
    Changes {
        homes,
        sites: vec![
            SiteRow {
                site: first,
                name: unicode.parse().unwrap(),
                partition: PartitionId(0),
                seq: 1,
                recorded_at: Timestamp::MIN,
            },
            SiteRow {
                site: last.clone(),
                name: longest('ü', 100).parse().unwrap(),
                partition: PartitionId(limits::PARTITIONS_MAX - 1),
                seq: i64::MAX,
                recorded_at: Timestamp::MAX,
            },
        ],
        items: vec![ItemRow {
            sku: sku("' OR 1=1 --"),
            name: unicode.parse().unwrap(),
            unit: "each".parse().unwrap(),
            seq: 1,
            recorded_at: at(-1),
        }],
        stock: vec![StockRow {
            site: last.clone(),
            sku: long_sku.clone(),
            on_hand: most,
            reserved: i64::MIN,
            held: [0, most, 1, i64::MAX],
            first_seq: 1,
            first_occurred_at: Timestamp::MIN,
            seq: i64::MAX,
        }],
        orders: vec![
            order("s", "o"),
            OrderRow {
                customer: None,
                currency: None,
                status: OrderStatus::Refused,
                lines: longest('"', 200_000),
                ..order("s", "p")
            },
        ],
        trail: vec![
            trail("s", 1),
            TrailRow {
                kind: "out_of_stock",
                order_id: Some("o".parse().unwrap()),
                recorded_at: Timestamp::MAX,
                occurred_at: Timestamp::MIN,
                reason: Some(Reason::OpeningBalance),
                note: Some(Note::new(unicode).unwrap()),
                reference: Some(Reference {
                    kind: "purchase_order".parse().unwrap(),
                    id: longest('9', 128).parse().unwrap(),
                }),
                idempotency_key: Some(longest('k', 255).parse().unwrap()),
                correlation_id: Some("c".parse().unwrap()),
                detail: Some(longest('"', 200_000)),
                ..trail("s", 2)
            },
        ],
        movements: vec![
            movement("s", 1, 0, "A"),
            MovementRow {
                sku: long_sku,
                delta: [-most, i64::MIN, most],
                after: [most, 0, i64::MAX],
                held_by_reason: Some(format!("{most},{most},{most},{most}")),
                held_reason: Some(HoldReason::QualityControl),
                occurred_at: Timestamp::MIN,
                order_id: Some("o".parse().unwrap()),
                ..movement(last.as_str(), i64::MAX, 0, "A")
            },
        ],
        digest: u64::MAX,
    }
}
