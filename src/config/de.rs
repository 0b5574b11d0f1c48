//! Deserializes values of the configuration file through the `FromStr` that flags use.

use std::fmt::{self, Display};
use std::str::FromStr;

use serde::de::{Deserialize, Deserializer, Error, SeqAccess, Visitor};

/// Reads a value through its `FromStr`, from a text or a whole number.
pub fn parse<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr<Err: Display>,
{
    let Scalar(text) = Scalar::deserialize(deserializer)?;
    text.parse().map(Some).map_err(D::Error::custom)
}

/// Reads one value or a list of them, each through its `FromStr`.
pub fn parse_list<'de, D, T>(deserializer: D) -> Result<Option<Vec<T>>, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr<Err: Display>,
{
    let Scalars(texts) = Scalars::deserialize(deserializer)?;
    let values: Result<Vec<T>, _> = texts.iter().map(|Scalar(text)| text.parse()).collect();
    values.map(Some).map_err(D::Error::custom)
}

struct Scalar(String);

struct Scalars(Vec<Scalar>);

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ScalarVisitor;

        impl Visitor<'_> for ScalarVisitor {
            type Value = Scalar;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a text in quotes")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Scalar, E> {
                Ok(Scalar(text.to_owned()))
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<Scalar, E> {
                Ok(Scalar(number.to_string()))
            }
        }

        deserializer.deserialize_any(ScalarVisitor)
    }
}

impl<'de> Deserialize<'de> for Scalars {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ScalarsVisitor;

        impl<'de> Visitor<'de> for ScalarsVisitor {
            type Value = Scalars;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a text in quotes, or a list of them")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Scalars, E> {
                Ok(Scalars(vec![Scalar(text.to_owned())]))
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<Scalars, E> {
                Ok(Scalars(vec![Scalar(number.to_string())]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Scalars, A::Error> {
                let mut texts = Vec::new();
                while let Some(text) = list.next_element()? {
                    texts.push(text);
                }
                Ok(Scalars(texts))
            }
        }

        deserializer.deserialize_any(ScalarsVisitor)
    }
}
