//! What the warehouses sell: items, their prices, how popular each is, and how much of it is kept.

use std::collections::HashMap;

use stockledger_schemas::{Level, Name, Quantity, Sku, Unit};

use super::Error;
use super::random::{Random, mixed};

/// Weight of the most popular item; the second one has half of it, the third a third (Zipf's law).
const WEIGHT_MAX: u64 = 1 << 32;
/// For about so many orders of a site the stock of an item lasts.
const ORDERS_COVERED: u64 = 400;
/// Twice the units of an order line, on average.
const UNITS_DOUBLED: u64 = 5;
/// Nothing is bought in smaller quantities.
const COVER_MIN: u64 = 12;

const MATERIALS: [&str; 12] = [
    "Oak", "Steel", "Cotton", "Ceramic", "Glass", "Leather", "Bamboo", "Copper", "Linen", "Paper", "Wool",
    "Cork",
];
const THINGS: [&str; 16] = [
    "lamp",
    "bowl",
    "chair",
    "basket",
    "clock",
    "mug",
    "tray",
    "cushion",
    "lantern",
    "hook",
    "frame",
    "bottle",
    "stool",
    "rug",
    "box",
    "candle holder",
];

/// Items by number. Each site has favourites of its own, so an item has a rank at each site.
#[derive(Debug)]
pub(super) struct Catalog {
    skus: Vec<Sku>,
    prices: Vec<Level>,
    numbers: HashMap<Sku, usize>,
    /// Of each rank, the weights up to it.
    weights: Vec<u64>,
    /// Of an order.
    lines: usize,
}

impl Catalog {
    /// So many items, sold by orders of so many lines.
    pub(super) fn new(skus: u32, lines: u16) -> Result<Self, Error> {
        let numbers: HashMap<Sku, usize> = HashMap::with_capacity(skus as usize);
        let mut catalog =
            Self { skus: vec![], prices: vec![], numbers, weights: vec![], lines: usize::from(lines) };
        let mut weight = 0;
        for number in 0..u64::from(skus) {
            let sku = Sku::new(format!("SKU-{number:05}"))?;
            weight += WEIGHT_MAX / (number + 1);
            catalog.numbers.insert(sku.clone(), catalog.skus.len());
            catalog.skus.push(sku);
            catalog.prices.push(Level::new(i64::try_from(95 + mixed(number) % 9_900).unwrap_or(95))?);
            catalog.weights.push(weight);
        }
        Ok(catalog)
    }

    /// How many items there are.
    pub(super) fn len(&self) -> usize {
        self.skus.len()
    }

    /// How many different items an order has.
    pub(super) fn lines(&self) -> usize {
        self.lines
    }

    /// The item of this number.
    pub(super) fn sku(&self, number: usize) -> &Sku {
        &self.skus[number]
    }

    /// What one of it costs, in cents.
    pub(super) fn price(&self, number: usize) -> Level {
        self.prices[number]
    }

    /// What it is called, and what a quantity of it counts.
    pub(super) fn description(&self, number: usize) -> Result<(Name, Unit), Error> {
        let material = MATERIALS[number % MATERIALS.len()];
        let thing = THINGS[number / MATERIALS.len() % THINGS.len()];
        Ok((Name::new(format!("{material} {thing} {number}"))?, Unit::new("each")?))
    }

    /// The number of an item.
    pub(super) fn number(&self, sku: &Sku) -> Option<usize> {
        self.numbers.get(sku).copied()
    }

    /// A rank, the lower the more often.
    pub(super) fn rank(&self, random: &mut Random) -> usize {
        let roll = random.below(self.weights.last().copied().unwrap_or_default());
        self.weights.partition_point(|weight| *weight <= roll)
    }

    /// How much of an item of this rank a site wants to have.
    pub(super) fn cover(&self, rank: usize) -> i64 {
        let weight = WEIGHT_MAX / (rank as u64 + 1);
        let all = self.weights.last().copied().unwrap_or(WEIGHT_MAX);
        let demand = weight * self.lines as u64 * UNITS_DOUBLED * ORDERS_COVERED / 2 / all;
        i64::try_from(COVER_MIN + demand).unwrap_or(i64::MAX)
    }
}

/// How many of an item somebody buys: mostly one, sometimes a dozen.
pub(super) fn units(random: &mut Random) -> i64 {
    match random.below(100) {
        0..60 => 1,
        60..80 => 2,
        80..95 => i64::from(random.between(3, 6)),
        _ => 12,
    }
}

/// A quantity of at least one.
pub(super) fn quantity(number: i64) -> Result<Quantity, Error> {
    Ok(Quantity::new(number.max(1))?)
}
