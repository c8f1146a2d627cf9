//! Numbers that a seed draws: the same on every machine and in every release of whatever else draws numbers.

/// SplitMix64: small, and the same everywhere.
#[derive(Clone, Debug)]
pub(crate) struct Draw(u64);

impl Draw {
    /// All that one seed draws.
    pub(crate) fn of(seed: u64) -> Self {
        Self(seed)
    }

    /// What a seed draws for the thing with this number, whatever was drawn for others.
    pub(crate) fn for_number(seed: u64, number: u64) -> Self {
        let mut draw = Self(seed);
        let own = draw.next();
        Self(own ^ Self(number).next())
    }

    /// A number from 0 that is less than `bound`, which is at least 1.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_draws_what_the_published_generator_does() {
        // The first numbers of SplitMix64 from 1234567, as in the reference implementation by Sebastiano Vigna.
        let mut draw = Draw::of(1_234_567);
        assert_eq!([draw.next(), draw.next()], [6_457_827_717_110_365_317, 3_203_168_211_198_807_973]);
    }

    #[test]
    fn what_is_drawn_for_one_number_is_not_what_is_drawn_for_the_next() {
        let first = |number| Draw::for_number(7, number).next();
        assert_ne!(first(0), first(1));
        assert_eq!(first(5), first(5));
    }
}
