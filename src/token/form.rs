//! Whose token is this, without a key?

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::compact::Compact;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenForm {
    /// Has a `type` of ours, whoever signed it: it must not reach an upstream (S3.4).
    Ours,
    /// Cannot be read, so it could be ours.
    Unreadable,
    /// An application's.
    Foreign,
}

/// Judges by form alone (S4.2): three base64url parts, and the `type` in the payload. Reads tokens
/// of any length, as an application's may be longer than ours ever are, and builds no tree of them. A token without
/// `type` looks foreign here; whether it is ours only its signature tells.
pub fn form(token: &[u8]) -> TokenForm {
    let Some(token) = Compact::split_any(token) else {
        return TokenForm::Foreign;
    };
    let payload = token.payload_bytes().unwrap_or_default();
    let Ok(text) = std::str::from_utf8(&payload) else {
        return TokenForm::Unreadable;
    };
    match serde_json::from_str(text) {
        Ok(TypeClaim(false)) => TokenForm::Foreign,
        Ok(TypeClaim(true)) => TokenForm::Ours,
        Err(_) => TokenForm::Unreadable,
    }
}

/// Whether an object has a `type` of ours. Only objects are readable, and only with one `type`: two readers could take
/// either of two.
struct TypeClaim(bool);

impl<'de> Deserialize<'de> for TypeClaim {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        reader.deserialize_map(TypeVisitor)
    }
}

struct TypeVisitor;

impl<'de> Visitor<'de> for TypeVisitor {
    type Value = TypeClaim;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<TypeClaim, A::Error> {
        let mut ours = None;
        while let Some(name) = map.next_key::<String>()? {
            if name != "type" {
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            let OurType(is_ours) = map.next_value()?;
            if ours.replace(is_ours).is_some() {
                return Err(A::Error::custom(""));
            }
        }
        Ok(TypeClaim(ours.unwrap_or(false)))
    }
}

/// Whether a value is the name of a family of ours; values of other types are read past.
struct OurType(bool);

impl<'de> Deserialize<'de> for OurType {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        reader.deserialize_any(OurTypeVisitor)
    }
}

struct OurTypeVisitor;

impl<'de> Visitor<'de> for OurTypeVisitor {
    type Value = OurType;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_str<E>(self, value: &str) -> Result<OurType, E> {
        Ok(OurType(matches!(value, "pat" | "app" | "auth")))
    }

    fn visit_unit<E>(self) -> Result<OurType, E> {
        Ok(OurType(false))
    }

    fn visit_bool<E>(self, _: bool) -> Result<OurType, E> {
        Ok(OurType(false))
    }

    fn visit_u64<E>(self, _: u64) -> Result<OurType, E> {
        Ok(OurType(false))
    }

    fn visit_i64<E>(self, _: i64) -> Result<OurType, E> {
        Ok(OurType(false))
    }

    fn visit_f64<E>(self, _: f64) -> Result<OurType, E> {
        Ok(OurType(false))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<OurType, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(OurType(false))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<OurType, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(OurType(false))
    }
}
