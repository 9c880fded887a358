//! Bytes in JSON: base64, in the one way that notes have it. Used as `#[serde(with = "base64_text::bytes")]`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde::de::{Deserializer, Error};
use serde::ser::Serializer;
use stockledger_schemas::Hash;

fn decode<E: Error>(text: &str) -> Result<Vec<u8>, E> {
    STANDARD.decode(text).map_err(|error| E::custom(format_args!("not base64: {error}")))
}

fn decode_hash<E: Error>(text: &str) -> Result<Hash, E> {
    decode(text)?.try_into().map(Hash).map_err(|_| E::custom("a hash must be 32 bytes in base64"))
}

/// Any bytes.
pub(crate) mod bytes {
    use super::{Deserialize, Deserializer, Engine, STANDARD, Serializer, decode};

    pub(crate) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(bytes))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        decode(&String::deserialize(deserializer)?)
    }
}

/// A hash.
pub(crate) mod hash {
    use super::{Deserialize, Deserializer, Engine, Hash, STANDARD, Serializer, decode_hash};

    pub(crate) fn serialize<S: Serializer>(hash: &Hash, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(hash.0))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Hash, D::Error> {
        decode_hash(&String::deserialize(deserializer)?)
    }
}

/// A list of hashes.
pub(crate) mod hashes {
    use super::{Deserialize, Deserializer, Engine, Hash, STANDARD, Serializer, decode_hash};

    pub(crate) fn serialize<S: Serializer>(hashes: &[Hash], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(hashes.iter().map(|hash| STANDARD.encode(hash.0)))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Hash>, D::Error> {
        let texts = Vec::<String>::deserialize(deserializer)?;
        texts.iter().map(|text| decode_hash(text)).collect()
    }
}
