//! Suggests the known word that was meant by an unknown one.

use clap::error::{ContextKind, ContextValue};
use clap::{Arg, Command};

/// The known word that is most like this one, if any is. clap judges it, as it
/// does for flags.
pub fn suggest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let arg = |word: &str| Arg::new(word.to_owned()).long(word.to_owned());
    let command = Command::new("words")
        .no_binary_name(true)
        .disable_help_flag(true)
        .args(known.into_iter().map(arg));
    let error = command.try_get_matches_from([format!("--{word}")]).err()?;
    match error.get(ContextKind::SuggestedArg)? {
        ContextValue::String(flag) => Some(flag.trim_start_matches('-').to_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_is_understood_and_nonsense_is_not() {
        let known = ["rate", "cut_off", "codes"];
        assert_eq!(suggest("ratee", known).as_deref(), Some("rate"));
        assert_eq!(suggest("cutoff", known).as_deref(), Some("cut_off"));
        assert_eq!(suggest("zzz", known), None);
        assert_eq!(suggest("", known), None);
    }
}
