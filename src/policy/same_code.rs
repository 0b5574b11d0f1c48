//! One error code on which row after row fails.

use super::streak::Streak;

/// Counts the failures in a row that have the same error code.
#[derive(Debug, Clone)]
pub struct SameCode {
    code: String,
    streak: Streak,
}

impl SameCode {
    /// At most this many failures in a row may have the same code, or any number.
    pub fn at_most(most: Option<u32>) -> SameCode {
        SameCode { code: String::new(), streak: Streak::of_at_most(most) }
    }

    /// A row failed with this code. Gives the most rows in a row that may, if
    /// this is one too many.
    pub fn failed(&mut self, code: &str) -> Option<u32> {
        if self.code != code {
            self.streak.ends();
            code.clone_into(&mut self.code);
        }
        self.streak.goes_on()
    }

    /// A row ended well.
    pub fn went_well(&mut self) {
        self.streak.ends();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_code_and_a_row_that_goes_well_both_end_the_row() {
        let mut same = SameCode::at_most(Some(1));
        assert_eq!(same.failed("A"), None);
        assert_eq!(same.failed("B"), None);
        same.went_well();
        assert_eq!(same.failed("B"), None);
        assert_eq!(same.failed("B"), Some(1));
    }
}
