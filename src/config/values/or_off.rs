//! A setting that can be turned off: a value, or the word off.

use std::str::FromStr;

/// A value, or off. Off is not the same as not set: a flag can turn off what the
/// configuration file sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrOff<T> {
    /// Turned off.
    Off,
    /// Turned on, with this value.
    On(T),
}

impl<T> OrOff<T> {
    /// The value, if it is on.
    pub fn on(self) -> Option<T> {
        match self {
            OrOff::Off => None,
            OrOff::On(value) => Some(value),
        }
    }
}

/// The text is neither off nor such a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}, nor off")]
pub struct OrOffError<E>(E);

impl<T: FromStr> FromStr for OrOff<T> {
    type Err = OrOffError<T::Err>;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "off" => Ok(OrOff::Off),
            value => value.parse().map(OrOff::On).map_err(OrOffError),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::BoundedU32;
    use insta::assert_snapshot;

    #[test]
    fn it_is_a_value_or_off() {
        let read = |text: &str| text.parse::<OrOff<BoundedU32<100>>>();
        assert_eq!(read("off").unwrap().on(), None);
        assert_eq!(read("7").unwrap().on().unwrap().get(), 7);
        assert_snapshot!(read("none").unwrap_err(), @r#""none" is not a whole number from 1 to 100, nor off"#);
    }
}
