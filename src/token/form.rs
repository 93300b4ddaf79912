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

/// Judges by form alone (S4.2): three base64url parts, and the `type` and `iss` in the payload; `is_issuer` says whether
/// tokens of an issuer count here. Reads tokens
/// of any length, as an application's may be longer than ours ever are, and builds no tree of them. A token without
/// `type` looks foreign here; whether it is ours only its signature tells.
pub fn form(token: &[u8], is_issuer: impl Fn(&str) -> bool) -> TokenForm {
    let Some(token) = Compact::split_any(token) else {
        return TokenForm::Foreign;
    };
    let payload = token.payload_bytes().unwrap_or_default();
    let Ok(text) = std::str::from_utf8(&payload) else {
        return TokenForm::Unreadable;
    };
    match serde_json::from_str(text) {
        Ok(Origin {
            of_a_family,
            issuer,
        }) => {
            if of_a_family || issuer.is_some_and(|issuer| is_issuer(&issuer)) {
                TokenForm::Ours
            } else {
                TokenForm::Foreign
            }
        }
        Err(_) => TokenForm::Unreadable,
    }
}

/// Where an object says that it comes from. Only objects are readable, and only with one `type` and one `iss`: two readers
/// could take either of two.
struct Origin {
    of_a_family: bool,
    issuer: Option<String>,
}

impl<'de> Deserialize<'de> for Origin {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        reader.deserialize_map(OriginVisitor)
    }
}

struct OriginVisitor;

impl<'de> Visitor<'de> for OriginVisitor {
    type Value = Origin;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Origin, A::Error> {
        let (mut family, mut issuer) = (None, None);
        while let Some(name) = map.next_key::<String>()? {
            let again = match name.as_str() {
                "type" => {
                    let Text(name) = map.next_value()?;
                    family.replace(name).is_some()
                }
                "iss" => {
                    let Text(name) = map.next_value()?;
                    issuer.replace(name).is_some()
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                    false
                }
            };
            if again {
                return Err(A::Error::custom(""));
            }
        }
        let family = family.flatten();
        Ok(Origin {
            of_a_family: matches!(family.as_deref(), Some("pat" | "app" | "auth")),
            issuer: issuer.flatten(),
        })
    }
}

/// A text; values of other types are read past.
struct Text(Option<String>);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        reader.deserialize_any(TextVisitor)
    }
}

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Text;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_str<E>(self, value: &str) -> Result<Text, E> {
        Ok(Text(Some(value.to_owned())))
    }

    fn visit_unit<E>(self) -> Result<Text, E> {
        Ok(Text(None))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Text, E> {
        Ok(Text(None))
    }

    fn visit_u64<E>(self, _: u64) -> Result<Text, E> {
        Ok(Text(None))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Text, E> {
        Ok(Text(None))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Text, E> {
        Ok(Text(None))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Text, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Text(None))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Text, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Text(None))
    }
}
