//! One line of the file: which cells it has and what each must say.

use csv::ByteRecord;
use stockledger_schemas::{CustomerId, Delta, Level, OrderId, Sku, Timestamp};

use super::text::excerpt;

/// The columns that are read; others may be there and are ignored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Column {
    Invoice,
    StockCode,
    Description,
    Quantity,
    InvoiceDate,
    Price,
    CustomerId,
}

impl Column {
    const ALL: [Self; 7] = [
        Self::Invoice,
        Self::StockCode,
        Self::Description,
        Self::Quantity,
        Self::InvoiceDate,
        Self::Price,
        Self::CustomerId,
    ];

    /// As the header has it.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Invoice => "Invoice",
            Self::StockCode => "StockCode",
            Self::Description => "Description",
            Self::Quantity => "Quantity",
            Self::InvoiceDate => "InvoiceDate",
            Self::Price => "Price",
            Self::CustomerId => "Customer ID",
        }
    }

    /// All names, for a message.
    pub(super) fn names() -> String {
        Self::ALL.map(Self::name).join(", ")
    }
}

/// Where each column stands in a line.
pub(super) struct Columns([usize; Column::ALL.len()]);

impl Columns {
    /// The columns by the header, in any order; otherwise the first that is missing.
    pub(super) fn find(header: &ByteRecord) -> Result<Self, Column> {
        let mut places = [0; Column::ALL.len()];
        for (place, column) in places.iter_mut().zip(Column::ALL) {
            let found = header.iter().position(|name| name.trim_ascii() == column.name().as_bytes());
            *place = found.ok_or(column)?;
        }
        Ok(Self(places))
    }

    const fn place(&self, column: Column) -> usize {
        self.0[column as usize]
    }
}

/// What is wrong with a cell.
#[derive(Debug)]
pub(super) struct Problem {
    pub(super) column: Column,
    pub(super) problem: String,
}

/// What a line says of its invoice.
pub(super) struct Row<'r> {
    pub(super) invoice: OrderId,
    pub(super) occurred_at: Timestamp,
    /// Absent on a line that is not about goods: postage, fees, vouchers, tests.
    pub(super) goods: Option<Goods<'r>>,
}

/// What a line says of goods.
pub(super) struct Goods<'r> {
    pub(super) sku: Sku,
    pub(super) description: &'r [u8],
    /// Not zero.
    pub(super) quantity: Delta,
    pub(super) unit_price_minor: Level,
    pub(super) customer: Option<CustomerId>,
}

impl<'r> Row<'r> {
    /// Reads a line. Of one that is not about goods only the invoice and its date are looked at.
    pub(super) fn read(columns: &Columns, record: &'r ByteRecord) -> Result<Self, Problem> {
        let cells = Cells { columns, record };
        let invoice =
            cells.read(Column::Invoice, |text| OrderId::new(text).map_err(|error| error.to_string()))?;
        let occurred_at = cells.read(Column::InvoiceDate, date)?;
        let goods = if is_goods(cells.raw(Column::StockCode)) { Some(cells.goods()?) } else { None };
        Ok(Self { invoice, occurred_at, goods })
    }
}

struct Cells<'c, 'r> {
    columns: &'c Columns,
    record: &'r ByteRecord,
}

impl<'r> Cells<'_, 'r> {
    fn goods(&self) -> Result<Goods<'r>, Problem> {
        Ok(Goods {
            sku: self.read(Column::StockCode, sku)?,
            description: self.raw(Column::Description),
            quantity: self.read(Column::Quantity, quantity)?,
            unit_price_minor: self.read(Column::Price, price)?,
            customer: self.read(Column::CustomerId, customer)?,
        })
    }

    /// A cell without spaces around it. Every line has as many cells as the header, so it is there.
    fn raw(&self, column: Column) -> &'r [u8] {
        self.record.get(self.columns.place(column)).unwrap_or_default().trim_ascii()
    }

    fn read<T>(&self, column: Column, read: fn(&str) -> Result<T, String>) -> Result<T, Problem> {
        let raw = self.raw(column);
        let text = std::str::from_utf8(raw).map_err(|_| "it must be UTF-8".to_owned());
        let value = text.and_then(read);
        value.map_err(|rule| Problem { column, problem: format!("{rule}, not {}", excerpt(raw)) })
    }
}

/// Goods have codes that begin with five digits.
fn is_goods(stock_code: &[u8]) -> bool {
    stock_code.get(..5).is_some_and(|digits| digits.iter().all(u8::is_ascii_digit))
}

/// The same goods are sometimes written in two cases.
fn sku(text: &str) -> Result<Sku, String> {
    Sku::new(text.to_ascii_uppercase()).map_err(|error| error.to_string())
}

fn quantity(text: &str) -> Result<Delta, String> {
    let number = text.parse().ok().and_then(|number| Delta::new(number).ok());
    number.filter(|number| number.get() != 0).ok_or_else(|| {
        format!("a quantity must be a whole number other than 0, from {} to {}", Delta::MIN, Delta::MAX)
    })
}

fn date(text: &str) -> Result<Timestamp, String> {
    let date = jiff::civil::DateTime::strptime("%Y-%m-%d %H:%M:%S", text).ok();
    let utc = date.and_then(|date| date.to_zoned(jiff::tz::TimeZone::UTC).ok());
    let time = utc.and_then(|utc| Timestamp::from_micros(utc.timestamp().as_microsecond()).ok());
    time.ok_or_else(|| "a date must be YYYY-MM-DD HH:MM:SS, such as 2009-12-01 07:45:00".to_owned())
}

/// A price in pounds as pence. More decimals than pence have would have to be rounded, which nobody asked for.
fn price(text: &str) -> Result<Level, String> {
    pence(text)
        .ok_or_else(|| "a price of goods must be 0 or more with at most 2 decimals, such as 6.95".to_owned())
}

fn pence(text: &str) -> Option<Level> {
    const DECIMALS: usize = 2;
    let (is_negative, digits) = text.strip_prefix('-').map_or((false, text), |digits| (true, digits));
    let (pounds, pence) = digits.split_once('.').map_or((digits, "0"), |(pounds, pence)| (pounds, pence));
    let are_digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !are_digits(pounds) || !are_digits(pence) {
        return None;
    }
    let pence = pence.trim_end_matches('0');
    if pence.len() > DECIMALS {
        return None;
    }
    let total: i64 = format!("{pounds}{pence:0<DECIMALS$}").parse().ok()?;
    Level::new(total).ok().filter(|total| !is_negative || *total == Level::ZERO)
}

/// An opaque id, which many lines have not.
fn customer(text: &str) -> Result<Option<CustomerId>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    CustomerId::new(text).map(Some).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_prices_exactly_and_refuses_what_pence_cannot_say() {
        let read = |text| pence(text).map(Level::get);
        for (text, expected) in [
            ("6.95", 695),
            ("2.1", 210),
            ("3", 300),
            ("0.0", 0),
            ("-0.00", 0),
            ("1.230", 123),
            ("0.07", 7),
            ("90071992547409.91", Level::MAX),
        ] {
            assert_eq!(read(text), Some(expected), "{text}");
        }
        for text in
            ["", "-", ".", ".5", "5.", "0.001", "-1.25", "1e2", "1,50", "£2", "+1", "90071992547409.92"]
        {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn reads_dates_as_utc() {
        assert_eq!(date("2009-12-01 07:45:00").expect("a date").to_string(), "2009-12-01T07:45:00.000000Z");
        for text in [
            "",
            "2009-12-01",
            "2009-13-01 07:45:00",
            "2009-02-29 07:45:00",
            "01/12/2009 07:45",
            "2009-12-01 07:45:00+01",
        ] {
            assert!(date(text).is_err(), "{text}");
        }
    }

    #[test]
    fn takes_codes_that_begin_with_five_digits_as_goods() {
        for (code, expected) in [
            ("85048", true),
            ("79323P", true),
            ("8504", false),
            ("POST", false),
            ("C21047", false),
            ("", false),
        ] {
            assert_eq!(is_goods(code.as_bytes()), expected, "{code}");
        }
    }
}
