//! The flags that a later command repeats.

use super::layer::Layer;

/// What decides which configuration, address and ledger a command uses.
const FLAGS: [&str; 4] = ["config", "profile", "url", "ledger"];

/// The flags with which a later command finds the same configuration, address and ledger, as long
/// as the environment and the current directory are the same.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FlagsToRepeat(Vec<(&'static str, String)>);

impl FlagsToRepeat {
    /// Those that the command line has, and the profile wherever it was named.
    pub(super) fn of(settings: &Layer) -> FlagsToRepeat {
        let value = |flag| match flag {
            "profile" => settings.get(flag),
            _ => settings.given(flag),
        };
        let flags = FLAGS.into_iter().filter_map(|flag| {
            let value = value(flag)?.to_string_lossy().into_owned();
            Some((flag, value))
        });
        FlagsToRepeat(flags.collect())
    }

    /// Each flag, without its dashes, and its value.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(flag, value)| (*flag, value.as_str()))
    }
}
