//! Unions with our own tags: a `u16` tag, a `u8` version, then the body.
//!
//! The index that a derive would give to a variant changes when variants are reordered, and history with it; a tag that
//! stands in the source does not.

/// Defines an enum of one-field variants, each with its tag, version and outside name.
macro_rules! tagged {
    ($(#[$meta:meta])* $what:literal $name:ident { $($(#[$doc:meta])* $variant:ident = $tag:literal v $version:literal $text:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
        #[serde(tag = "type")]
        pub enum $name { $($(#[$doc])* #[serde(rename = $text)] $variant($variant),)+ }

        impl $name {
            /// Every tag with its newest version and its name outside, in the order of the tags.
            pub const TAGS: &'static [(u16, u8, &'static str)] = &[$(($tag, $version, $text),)+];

            /// The name outside: snake_case, in JSON, Kafka headers and tables.
            #[must_use]
            pub fn type_name(&self) -> &'static str {
                match self { $(Self::$variant(_) => $text,)+ }
            }
        }

        impl $crate::codec::Encode for $name {
            fn encode<E: $crate::codec::Encoder>(&self, encoder: &mut E) -> Result<(), $crate::codec::EncodeError> {
                match self {
                    $(Self::$variant(body) => {
                        u16::encode(&$tag, encoder)?;
                        u8::encode(&$version, encoder)?;
                        body.encode(encoder)
                    })+
                }
            }
        }

        impl<Context> $crate::codec::Decode<Context> for $name {
            fn decode<D: $crate::codec::Decoder<Context = Context>>(decoder: &mut D) -> Result<Self, $crate::codec::DecodeError> {
                let tag = u16::decode(decoder)?;
                let version = u8::decode(decoder)?;
                match (tag, version) {
                    $(($tag, $version) => Ok(Self::$variant($variant::decode(decoder)?)),)+
                    _ => Err($crate::codec::unknown($what, u32::from(tag) * 256 + u32::from(version))),
                }
            }
        }

        $crate::codec::impl_borrow_decode!($name);

        $(impl From<$variant> for $name {
            fn from(body: $variant) -> Self { Self::$variant(body) }
        })+
    };
}

pub(crate) use tagged;
