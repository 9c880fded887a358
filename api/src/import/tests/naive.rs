//! The rules of the import once more, as plainly as they can be said: strings, maps, one pass, no ledger.

use std::collections::BTreeMap;

/// One invoice: goods that came back, differences, goods that were ordered.
#[derive(Debug, Default)]
pub(super) struct Invoice {
    pub(super) id: String,
    returned: Vec<(String, i64)>,
    adjusted: Vec<(String, i64)>,
    ordered: Vec<(String, i64)>,
}

/// What a file comes to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Sums {
    pub(super) orders_shipped: u64,
    pub(super) orders_refused: u64,
    pub(super) order_lines: u64,
    pub(super) units_shipped: i64,
    pub(super) returns: u64,
    pub(super) adjustments: u64,
    pub(super) adjustments_refused: u64,
    pub(super) units_on_hand: i64,
}

/// The invoices of a CSV text in the order of their first lines, and how many lines are not about goods.
pub(super) fn invoices(csv_text: &str) -> (Vec<Invoice>, u64) {
    let mut invoices: Vec<Invoice> = Vec::new();
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    let mut skipped = 0;
    for record in csv::Reader::from_reader(csv_text.as_bytes()).records() {
        let record = record.expect("a line of the test's file");
        let place = *places.entry(record[0].to_owned()).or_insert_with(|| {
            invoices.push(Invoice { id: record[0].to_owned(), ..Invoice::default() });
            invoices.len() - 1
        });
        let sku = record[1].trim().to_uppercase();
        if sku.chars().take(5).filter(char::is_ascii_digit).count() < 5 {
            skipped += 1;
            continue;
        }
        let units: i64 = record[3].parse().expect("a quantity");
        let price: f64 = record[5].parse().expect("a price");
        let invoice = &mut invoices[place];
        if invoice.id.starts_with('C') {
            invoice.returned.push((sku, -units));
        } else if units < 0 || (price == 0.0 && record[6].trim().is_empty()) {
            invoice.adjusted.push((sku, units));
        } else {
            invoice.ordered.push((sku, units));
        }
    }
    (invoices, skipped)
}

/// What happens to the invoices if so much is there at first.
pub(super) fn simulate(invoices: &[Invoice], opening: &BTreeMap<String, i64>) -> Sums {
    let mut stock = opening.clone();
    let mut sums = Sums::default();
    for invoice in invoices {
        if !invoice.returned.is_empty() {
            sums.returns += 1;
            change(&mut stock, &total(&invoice.returned), 1);
        }
        if !invoice.adjusted.is_empty() {
            sums.adjustments += 1;
            let differences = total(&invoice.adjusted);
            if has(&stock, &differences, -1) {
                change(&mut stock, &differences, 1);
            } else {
                sums.adjustments_refused += 1;
            }
        }
        if !invoice.ordered.is_empty() {
            sums.order_lines += u64::try_from(invoice.ordered.len()).expect("few lines");
            let wanted = total(&invoice.ordered);
            if has(&stock, &wanted, 1) {
                change(&mut stock, &wanted, -1);
                sums.orders_shipped += 1;
                sums.units_shipped += wanted.values().sum::<i64>();
            } else {
                sums.orders_refused += 1;
            }
        }
    }
    sums.units_on_hand = stock.values().sum();
    sums
}

/// Of each SKU what was missing at worst, if nothing had been there and nothing had been refused.
pub(super) fn missing_at_worst(invoices: &[Invoice]) -> BTreeMap<String, i64> {
    let mut stock = BTreeMap::new();
    let mut missing = BTreeMap::new();
    for invoice in invoices {
        for (part, sign) in [(&invoice.returned, 1), (&invoice.adjusted, 1), (&invoice.ordered, -1)] {
            let totals = total(part);
            change(&mut stock, &totals, sign);
            for sku in totals.keys() {
                let worst: &mut i64 = missing.entry(sku.clone()).or_default();
                *worst = (*worst).max(-stock[sku]);
            }
        }
    }
    missing
}

fn total(lines: &[(String, i64)]) -> BTreeMap<String, i64> {
    let mut totals = BTreeMap::new();
    for (sku, units) in lines {
        *totals.entry(sku.clone()).or_default() += units;
    }
    totals
}

fn has(stock: &BTreeMap<String, i64>, wanted: &BTreeMap<String, i64>, sign: i64) -> bool {
    wanted
        .iter()
        .all(|(sku, units)| sign * units <= 0 || stock.get(sku).copied().unwrap_or(0) >= sign * units)
}

fn change(stock: &mut BTreeMap<String, i64>, by: &BTreeMap<String, i64>, sign: i64) {
    for (sku, units) in by {
        *stock.entry(sku.clone()).or_default() += sign * units;
    }
}
