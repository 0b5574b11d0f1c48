//! Random numbers from a seed: the same seed, the same numbers.

/// A random number generator (SplitMix64).
pub struct Rng(u64);

impl From<u64> for Rng {
    fn from(seed: u64) -> Rng {
        Rng(seed)
    }
}

impl Rng {
    /// Any number.
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below this one.
    pub fn below(&mut self, end: u64) -> u64 {
        self.draw() % end
    }

    /// True with this probability, in per cent.
    pub fn per_cent(&mut self, share: u64) -> bool {
        self.below(100) < share
    }

    /// From 0 to 1.
    pub fn share(&mut self) -> f64 {
        (self.draw() >> 11) as f64 / (1_u64 << 53) as f64
    }
}
