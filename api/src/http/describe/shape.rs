//! How the shape of a value is written down: once, by name, with what each member means.
//!
//! A shape is a declaration and nothing else; no value of it is ever made. It states what callers may rely on, and the tests
//! hold every answer of the service against it.

use serde_json::Value;
use utoipa::openapi::schema::{
    AdditionalProperties, Array, ArrayBuilder, ObjectBuilder, OneOfBuilder, Schema, SchemaType, Type,
};
use utoipa::openapi::{Ref, RefOr};

/// The shapes that have a name, as they are referred to.
pub(super) type Named = std::collections::BTreeMap<String, RefOr<Schema>>;

/// What a value looks like.
pub(super) trait Shape {
    /// Its schema as it stands where it is used; one that has a name is added to the named ones and referred to.
    fn usage(named: &mut Named) -> RefOr<Schema>;
}

/// Adds a schema to those that have a name, unless it is there, and refers to it.
pub(super) fn refer<S: Into<RefOr<Schema>>>(
    named: &mut Named,
    name: &str,
    schema: impl FnOnce(&mut Named) -> S,
) -> RefOr<Schema> {
    if !named.contains_key(name) {
        let schema = schema(named).into();
        named.insert(name.to_owned(), schema);
    }
    Ref::from_schema_name(name).into()
}

/// A schema with what it means where it is used; nothing changes without a word.
pub(super) fn described(mut schema: RefOr<Schema>, meaning: &str) -> RefOr<Schema> {
    let meaning = meaning.trim();
    if meaning.is_empty() {
        return schema;
    }
    let said = Some(meaning.to_owned());
    match &mut schema {
        RefOr::Ref(reference) => meaning.clone_into(&mut reference.description),
        RefOr::T(Schema::Object(object)) => object.description = said,
        RefOr::T(Schema::Array(array)) => array.description = said,
        RefOr::T(Schema::OneOf(one_of)) => one_of.description = said,
        RefOr::T(Schema::AnyOf(any_of)) => any_of.description = said,
        RefOr::T(_) => {}
    }
    schema
}

/// The members of an object while they are listed.
pub(super) struct Members(ObjectBuilder);

impl Members {
    /// Of a request: what is not listed is refused.
    pub(super) fn closed(meaning: &str) -> Self {
        let refused = AdditionalProperties::FreeForm(false);
        Self(Self::open(meaning).0.additional_properties(Some(refused)))
    }

    /// Of an answer: more may be added to it in time.
    pub(super) fn open(meaning: &str) -> Self {
        let object = ObjectBuilder::new().schema_type(Type::Object);
        Self(object.description(Some(meaning.trim())))
    }

    /// A member that is always there.
    pub(super) fn must(self, name: &str, meaning: &str, schema: RefOr<Schema>) -> Self {
        Self(self.may(name, meaning, schema).0.required(name))
    }

    /// A member that may be absent.
    pub(super) fn may(self, name: &str, meaning: &str, schema: RefOr<Schema>) -> Self {
        Self(self.0.property(name, described(schema, meaning)))
    }
}

impl From<Members> for RefOr<Schema> {
    fn from(members: Members) -> Self {
        members.0.into()
    }
}

/// Declares objects: `closed` or `open`, and members that `must` or `may` be there.
macro_rules! objects {
    ($($(#[doc = $meaning:literal])+ $openness:ident $name:ident {
        $($(#[doc = $member_meaning:literal])* $presence:ident $member:ident: $shape:ty,)*
    })+) => {
        $(
            $(#[doc = $meaning])+
            pub(in crate::http::describe) struct $name;

            impl $crate::http::describe::shape::Shape for $name {
                fn usage(
                    named: &mut $crate::http::describe::shape::Named,
                ) -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
                    use $crate::http::describe::shape::{Members, Shape, refer};
                    refer(named, stringify!($name), |named| {
                        Members::$openness(concat!($($meaning),+))
                            $(.$presence(
                                stringify!($member),
                                concat!("" $(, $member_meaning)*),
                                <$shape as Shape>::usage(named),
                            ))*
                    })
                }
            }
        )+
    };
}

pub(super) use objects;

/// Any number of values.
impl<T: Shape> Shape for Vec<T> {
    fn usage(named: &mut Named) -> RefOr<Schema> {
        Array::new(T::usage(named)).into()
    }
}

/// From one to so many values.
pub(super) struct UpTo<T, const MAX: usize>(std::marker::PhantomData<T>);

impl<T: Shape, const MAX: usize> Shape for UpTo<T, MAX> {
    fn usage(named: &mut Named) -> RefOr<Schema> {
        ArrayBuilder::new().items(T::usage(named)).min_items(Some(1)).max_items(Some(MAX)).into()
    }
}

/// A value or `null`.
impl<T: Shape> Shape for Option<T> {
    fn usage(named: &mut Named) -> RefOr<Schema> {
        or_null(T::usage(named))
    }
}

/// The same or `null`.
pub(super) fn or_null(schema: RefOr<Schema>) -> RefOr<Schema> {
    let null = ObjectBuilder::new().schema_type(Type::Null);
    OneOfBuilder::new().schema_type(SchemaType::AnyValue).item(schema).item(null).into()
}

macro_rules! plain {
    ($($type:ty = $schema:expr;)+) => {
        $(impl Shape for $type {
            fn usage(_: &mut Named) -> RefOr<Schema> {
                $schema.into()
            }
        })+
    };
}

plain! {
    bool = ObjectBuilder::new().schema_type(Type::Boolean);
    String = ObjectBuilder::new().schema_type(Type::String);
    i64 = ObjectBuilder::new().schema_type(Type::Integer);
    u64 = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(0));
    Value = ObjectBuilder::new().schema_type(SchemaType::AnyValue);
}

/// One of some words.
pub(super) fn one_of<'a>(words: impl IntoIterator<Item = &'a str>) -> ObjectBuilder {
    let words: Vec<Value> = words.into_iter().map(Value::from).collect();
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(words))
}
