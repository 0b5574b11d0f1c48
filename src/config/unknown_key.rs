//! A key that a table does not have.

use super::suggest::suggest;

/// A key that a table does not have, and those that it has.
#[derive(Debug, PartialEq, Eq)]
pub struct UnknownKey {
    /// As it is written.
    pub found: String,
    known: Vec<String>,
}

impl UnknownKey {
    /// Parses serde's message, which is all that serde gives of it.
    pub fn from_message(message: &str) -> Option<UnknownKey> {
        let mut parts = message.strip_prefix("unknown field `")?.split('`');
        let found = parts.next()?.to_owned();
        let known = parts.skip(1).step_by(2).filter(|word| !word.is_empty());
        Some(UnknownKey { found, known: known.map(str::to_owned).collect() })
    }

    /// What is wrong, and what was meant or may stand there.
    pub fn explain(&self, table: &str) -> String {
        let known = || self.known.iter().map(String::as_str);
        let hint = match suggest(&self.found, known()) {
            Some(meant) => format!("did you mean \"{meant}\"?"),
            // Most likely a secret that someone wrote where it must not be.
            None if table == "auth" => {
                "secrets belong in environment variables, never here".to_owned()
            }
            None => format!("it has {}", known().collect::<Vec<_>>().join(", ")),
        };
        format!("there is no setting \"{}\" in [{table}]; {hint}", self.found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serdes_words_are_understood() {
        let parsed = |message: &str| UnknownKey::from_message(message).unwrap();
        let one = parsed("unknown field `seeed`, expected `seed`");
        assert_eq!((one.found.as_str(), &one.known[..]), ("seeed", &["seed".to_owned()][..]));
        let many = parsed("unknown field `x`, expected one of `a`, `b`, `c`");
        assert_eq!(many.known, ["a", "b", "c"]);
        assert!(parsed("unknown field `x`, there are no fields; and so on").known.is_empty());
        assert_eq!(UnknownKey::from_message("missing field `x`"), None);
    }
}
