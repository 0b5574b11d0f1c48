//! Suggests the known word that was meant by an unknown one.

/// From which likeness on, of 0 to 1, a word can be what was meant: clap's own, for flags.
const LIKE: f64 = 0.7;

/// The known word that is most like this one, if any is.
pub fn suggest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let likeness = known.into_iter().map(|known| (strsim::jaro(word, known), known));
    let nearest = likeness.filter(|(likeness, _)| *likeness > LIKE);
    nearest.max_by(|(a, _), (b, _)| a.total_cmp(b)).map(|(_, known)| known.to_owned())
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
