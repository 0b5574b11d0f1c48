//! How often in a row something may happen.

/// Counts what happens in a row.
#[derive(Debug, Clone)]
pub struct Streak {
    most: Option<u32>,
    length: u32,
}

impl Streak {
    /// A streak that may be this long, or any length.
    pub fn of_at_most(most: Option<u32>) -> Streak {
        Streak { most, length: 0 }
    }

    /// It happened once more. Gives the most times that it may, if this is too often.
    pub fn goes_on(&mut self) -> Option<u32> {
        self.length = self.length.saturating_add(1);
        self.most.filter(|most| self.length > *most)
    }

    /// Something else happened.
    pub fn ends(&mut self) {
        self.length = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_more_in_a_row_than_may_be_is_too_long() {
        let mut streak = Streak::of_at_most(Some(2));
        assert_eq!((streak.goes_on(), streak.goes_on()), (None, None));
        streak.ends();
        assert_eq!((streak.goes_on(), streak.goes_on()), (None, None));
        assert_eq!(streak.goes_on(), Some(2));
    }

    #[test]
    fn without_a_limit_none_is_too_long() {
        let mut streak = Streak::of_at_most(None);
        assert!((0..10_000).all(|_| streak.goes_on().is_none()));
    }
}
