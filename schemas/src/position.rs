//! Where in a ledger, and when.

use std::str::FromStr;

use crate::codec::{self, Decode, DecodeError, Decoder, Encode, EncodeError, Encoder};
use crate::limits::PARTITIONS_MAX;

/// The number of a partition, from 0. Partition 0 also holds the directory of sites and items.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    serde::Serialize,
    serde::Deserialize,
    Encode,
    Decode,
)]
#[serde(transparent)]
pub struct PartitionId(pub u16);

impl PartitionId {
    /// The partition that holds the directory.
    pub const DIRECTORY: Self = Self(0);
}

impl std::fmt::Display for PartitionId {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(formatter)
    }
}

/// The place of a decision in a ledger: `<partition>.<seq>`, where `seq` is dense from 1 in its partition.
///
/// Positions of one partition are ordered as the decisions were made; across partitions their order means nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// The partition.
    pub partition: PartitionId,
    /// The decision's number in it.
    pub seq: u64,
}

impl Position {
    /// The position of decision `seq` of `partition`.
    #[must_use]
    pub const fn new(partition: PartitionId, seq: u64) -> Self {
        Self { partition, seq }
    }
}

impl std::fmt::Display for Position {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}.{}", self.partition, self.seq)
    }
}

/// Why a text is not a position.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a position must be <partition>.<seq>, such as 0.17")]
pub struct InvalidPosition;

impl FromStr for Position {
    type Err = InvalidPosition;

    fn from_str(text: &str) -> Result<Self, InvalidPosition> {
        let (partition, seq) = text.split_once('.').ok_or(InvalidPosition)?;
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(partition) || !digits(seq) {
            return Err(InvalidPosition);
        }
        let partition =
            partition.parse().ok().filter(|number| *number < PARTITIONS_MAX).ok_or(InvalidPosition)?;
        let seq = seq.parse().ok().filter(|number| i64::try_from(*number).is_ok()).ok_or(InvalidPosition)?;
        Ok(Self::new(PartitionId(partition), seq))
    }
}

impl serde::Serialize for Position {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Position {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// An instant: microseconds since 1970 in UTC. Outside it is RFC 3339 with microseconds, `2009-12-01T07:45:00.000000Z`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// Why a number or a text is not an instant of ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a time must be RFC 3339 from year 1 to 9999, such as 2009-12-01T07:45:00Z")]
pub struct InvalidTimestamp;

impl Timestamp {
    /// 0001-01-01T00:00:00Z.
    pub const MIN: Self = Self(-62_135_596_800_000_000);
    /// 9999-12-30T22:00:00Z, the latest instant that the time library shows.
    pub const MAX: Self = Self(253_402_207_200_000_000);

    /// The instant so many microseconds after 1970 in UTC.
    ///
    /// # Errors
    /// [`InvalidTimestamp`] outside [`Timestamp::MIN`] to [`Timestamp::MAX`].
    pub fn from_micros(micros: i64) -> Result<Self, InvalidTimestamp> {
        let time = Self(micros);
        if (Self::MIN..=Self::MAX).contains(&time) { Ok(time) } else { Err(InvalidTimestamp) }
    }

    /// Microseconds since 1970 in UTC.
    #[must_use]
    pub const fn micros(self) -> i64 {
        self.0
    }
}

impl std::fmt::Display for Timestamp {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match jiff::Timestamp::from_microsecond(self.0) {
            Ok(time) => write!(formatter, "{time:.6}"),
            Err(_) => write!(formatter, "{}us", self.0),
        }
    }
}

impl FromStr for Timestamp {
    type Err = InvalidTimestamp;

    fn from_str(text: &str) -> Result<Self, InvalidTimestamp> {
        let time: jiff::Timestamp = text.parse().map_err(|_| InvalidTimestamp)?;
        Self::from_micros(time.as_microsecond())
    }
}

impl serde::Serialize for Timestamp {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Timestamp {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl Encode for Timestamp {
    fn encode<E: Encoder>(&self, encoder: &mut E) -> Result<(), EncodeError> {
        self.0.encode(encoder)
    }
}

impl<Context> Decode<Context> for Timestamp {
    fn decode<D: Decoder<Context = Context>>(decoder: &mut D) -> Result<Self, DecodeError> {
        Self::from_micros(i64::decode(decoder)?).map_err(|error| codec::invalid(&error))
    }
}

codec::impl_borrow_decode!(Timestamp);
