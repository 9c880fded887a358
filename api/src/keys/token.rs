//! Tokens: `slk_<key_id>_<secret>`, the secret being 256 bits from the operating system as 64 hexadecimal digits.

use std::fmt;
use std::str::FromStr;

use stockledger_schemas::{Hash, KeyId};

const PREFIX: &str = "slk_";
const KEY_ID_BYTES: usize = 8;
const SECRET_BYTES: usize = 32;

/// What the holder of a key shows. It is printed by [`Token::reveal`] alone.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    key_id: KeyId,
    text: String,
}

/// Why a text is not a token. It does not say more: what was given may be a secret all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an API key, which looks like slk_<key_id>_<64 hexadecimal digits>")]
pub struct InvalidToken;

impl Token {
    /// A token that nobody has seen before.
    ///
    /// # Errors
    /// That of the operating system, which has no random bytes.
    pub fn generate() -> Result<Self, getrandom::Error> {
        let mut bytes = [0; KEY_ID_BYTES + SECRET_BYTES];
        getrandom::fill(&mut bytes)?;
        let (key_id, secret) = bytes.split_at(KEY_ID_BYTES);
        let text = format!("{PREFIX}{}_{}", hex(key_id), hex(secret));
        text.parse().map_err(|_| getrandom::Error::UNEXPECTED)
    }

    /// The key that it is of.
    #[must_use]
    pub const fn key_id(&self) -> &KeyId {
        &self.key_id
    }

    /// SHA-256 of the whole token: what the ledger keeps.
    #[must_use]
    pub fn hash(&self) -> Hash {
        Hash::of(&[self.text.as_bytes()])
    }

    /// The token itself, for its holder.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.text
    }
}

impl FromStr for Token {
    type Err = InvalidToken;

    fn from_str(text: &str) -> Result<Self, InvalidToken> {
        let (key_id, secret) =
            text.strip_prefix(PREFIX).and_then(|rest| rest.split_once('_')).ok_or(InvalidToken)?;
        let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        if secret.len() != 2 * SECRET_BYTES || !secret.bytes().all(is_digit) {
            return Err(InvalidToken);
        }
        let key_id = KeyId::new(key_id).map_err(|_| InvalidToken)?;
        Ok(Self { key_id, text: text.to_owned() })
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{PREFIX}{}_***", self.key_id)
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_read_as_it_is_written_and_differs_from_every_other() {
        let (one, other) = (Token::generate().unwrap(), Token::generate().unwrap());
        assert_eq!(one.reveal().parse(), Ok(one.clone()));
        assert_ne!(one.key_id(), other.key_id());
        assert_ne!(one.hash(), other.hash());
        assert_eq!(one.hash(), Hash::of(&[one.reveal().as_bytes()]));
    }

    #[test]
    fn it_is_not_shown_by_accident() {
        let token = Token::generate().unwrap();
        let shown = format!("{token:?}");
        assert_eq!(shown, format!("slk_{}_***", token.key_id()));
        assert!(!InvalidToken.to_string().contains(&token.reveal()[10..]));
    }

    #[test]
    fn whatever_is_not_a_token_is_refused() {
        let token = Token::generate().unwrap();
        let good = token.reveal();
        let short = &good[..good.len() - 1];
        let cases = [
            String::new(),
            "slk_".to_owned(),
            short.to_owned(),
            format!("{good}0"),
            format!(" {good}"),
            good.to_uppercase(),
            good.replacen("slk_", "ilg_", 1),
            good.replacen(token.key_id().as_str(), "UPPER-CASE", 1),
            format!("{short}g"),
            good.replacen('_', "__", 2),
        ];
        for wrong in cases {
            assert_eq!(wrong.parse::<Token>(), Err(InvalidToken), "{wrong}");
        }
    }
}
