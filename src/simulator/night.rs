//! The decisions of a night, drawn from its seed: pure functions of the seed, the
//! order and how many times it has been asked for, so that a night repeats exactly
//! in whatever order its requests arrive.

use std::time::Duration;

use super::latency::Latency;
use super::orders::Order;
use super::settings::Settings;
use super::share::Share;
use super::words::{Fate, Mischief};

/// Everything a seed decides.
#[derive(Debug, Clone)]
pub(super) struct Night {
    seed: u64,
    latency: Latency,
    fates: Wheel<Fate>,
    mischief: Wheel<Mischief>,
}

/// What a draw is for. Draws for different ends have nothing to do with one another.
#[derive(Debug, Clone, Copy)]
enum Purpose {
    Fate = 1,
    Mischief = 2,
    Latency = 3,
    ErrorStatus = 4,
}

impl Night {
    pub(super) fn new(settings: &Settings) -> Night {
        let mischief = Mischief::ALL.iter().map(|m| (*m, settings.share_of(*m)));
        let fates = [
            (Fate::Printed, settings.printed),
            (Fate::Unknown, settings.unknown),
            (Fate::CancelledBefore, settings.cancelled_before),
        ];
        Night {
            seed: settings.seed,
            latency: settings.latency,
            fates: Wheel::new(fates),
            mischief: Wheel::new(mischief),
        }
    }

    /// How the order stands before the night.
    pub(super) fn fate(&self, order: Order) -> Fate {
        self.fates.at(|| self.draw(Purpose::Fate, order, 0)).unwrap_or(Fate::Cancellable)
    }

    /// What goes wrong when the order is asked for the `n`th time, if anything.
    pub(super) fn mischief(&self, order: Order, n: u32) -> Option<Mischief> {
        self.mischief.at(|| self.draw(Purpose::Mischief, order, n))
    }

    /// How long the answer takes when the order is asked for the `n`th time.
    pub(super) fn latency(&self, order: Order, n: u32) -> Duration {
        let (shortest, longest) = (self.latency.shortest(), self.latency.longest());
        if shortest == longest {
            return shortest;
        }
        let span =
            u64::try_from(longest.saturating_sub(shortest).as_nanos()).unwrap_or(u64::MAX - 1);
        let beyond = scale(self.draw(Purpose::Latency, order, n), span + 1);
        shortest.saturating_add(Duration::from_nanos(beyond))
    }

    /// Which error status the answer has when an error it must be.
    pub(super) fn error_status(&self, order: Order, n: u32) -> u16 {
        match scale(self.draw(Purpose::ErrorStatus, order, n), 3) {
            0 => 500,
            1 => 502,
            _ => 504,
        }
    }

    fn draw(&self, purpose: Purpose, order: Order, n: u32) -> u64 {
        let order_and_time = (order.sequence_number as u64) << 32 | u64::from(n);
        [purpose as u64, order.admin_number as u64, order_and_time]
            .into_iter()
            .fold(mix(self.seed), |drawn, next| mix(drawn ^ next))
    }
}

/// A wheel of fortune: outcomes with their shares, and blanks for the rest.
#[derive(Debug, Clone)]
struct Wheel<T> {
    /// Each outcome with the end of its sector, in parts of a whole share.
    sectors: Vec<(T, u64)>,
}

impl<T: Copy> Wheel<T> {
    fn new(outcomes: impl IntoIterator<Item = (T, Share)>) -> Wheel<T> {
        let sectors = outcomes
            .into_iter()
            .filter(|(_, share)| *share != Share::NONE)
            .scan(0, |end, (outcome, share)| {
                *end += u64::from(share.parts());
                Some((outcome, *end))
            })
            .collect();
        Wheel { sectors }
    }

    /// Spins only if there is anything to win.
    fn at(&self, draw: impl FnOnce() -> u64) -> Option<T> {
        if self.sectors.is_empty() {
            return None;
        }
        let at = scale(draw(), u64::from(Share::WHOLE));
        self.sectors.iter().find(|(_, end)| at < *end).map(|(outcome, _)| *outcome)
    }
}

/// Brings a draw down to 0 up to, but not including, `below`.
fn scale(draw: u64, below: u64) -> u64 {
    ((u128::from(draw) * u128::from(below)) >> 64) as u64
}

/// SplitMix64: every bit of the input changes about half of the output's.
fn mix(input: u64) -> u64 {
    let mut z = input.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(admin_number: i64) -> Order {
        Order { admin_number, sequence_number: 1 }
    }

    /// A night in which every kind of thing happens often.
    fn busy(seed: u64) -> Night {
        let mut settings = Settings::rough(seed);
        settings.hang = Share::per_mille(100);
        settings.throttle = Share::per_mille(250);
        Night::new(&settings)
    }

    fn decisions(night: &Night) -> Vec<(Fate, Option<Mischief>, Duration, u16)> {
        (0..1_000)
            .map(order)
            .flat_map(|order| (1..4).map(move |n| (order, n)))
            .map(|(order, n)| {
                let fate = night.fate(order);
                (
                    fate,
                    night.mischief(order, n),
                    night.latency(order, n),
                    night.error_status(order, n),
                )
            })
            .collect()
    }

    #[test]
    fn the_same_seed_is_the_same_night_and_another_seed_is_another() {
        assert_eq!(decisions(&busy(7)), decisions(&busy(7)));
        assert_ne!(decisions(&busy(7)), decisions(&busy(8)));
    }

    #[test]
    fn a_night_does_not_change_from_one_version_to_the_next() {
        let night = busy(7);
        let seen = decisions(&night).into_iter().take(4).collect::<Vec<_>>();
        let delay = Duration::from_nanos;
        let expected = [
            (Fate::Cancellable, None, delay(58_191_695), 504),
            (Fate::Cancellable, Some(Mischief::Throttle), delay(52_412_482), 500),
            (Fate::Cancellable, None, delay(55_342_351), 502),
            (Fate::Cancellable, Some(Mischief::Throttle), delay(43_895_599), 500),
        ];
        assert_eq!(seen, expected);
    }

    #[test]
    fn shares_come_out_about_right_over_many_orders() {
        const ORDERS: usize = 100_000;
        let settings = Settings { hang: Share::per_mille(100), ..Settings::rough(3) };
        let night = Night::new(&settings);
        let near = |seen: usize, share: Share| {
            let expected = ORDERS as f64 * f64::from(share.parts()) / f64::from(Share::WHOLE);
            // Five standard deviations: a fair wheel is outside once in a million tries.
            (seen as f64 - expected).abs() <= 5.0 * expected.sqrt()
        };
        let count_fate =
            |fate| (0..ORDERS).filter(|admin| night.fate(order(*admin as i64)) == fate).count();
        assert!(near(count_fate(Fate::Printed), settings.printed));
        assert!(near(count_fate(Fate::Unknown), settings.unknown));
        assert!(near(count_fate(Fate::CancelledBefore), settings.cancelled_before));
        for mischief in Mischief::ALL {
            let seen = (0..ORDERS)
                .filter(|admin| night.mischief(order(*admin as i64), 1) == Some(*mischief))
                .count();
            assert!(near(seen, settings.share_of(*mischief)), "{mischief}: {seen}");
        }
    }

    #[test]
    fn each_asking_and_each_sequence_number_is_drawn_for_itself() {
        let half = Settings { throttle: Share::per_mille(500), ..Settings::default() };
        let night = Night::new(&half);
        let by_asking = (1..1_000).filter(|n| night.mischief(order(1), *n).is_some()).count();
        let by_sequence = (1..1_000)
            .map(|sequence_number| Order { admin_number: 1, sequence_number })
            .filter(|order| night.mischief(*order, 1).is_some())
            .count();
        assert!((400..600).contains(&by_asking), "{by_asking}");
        assert!((400..600).contains(&by_sequence), "{by_sequence}");
    }

    #[test]
    fn a_share_of_all_is_always_and_a_share_of_none_is_never() {
        let always = Settings { printed: Share::ALL, html: Share::ALL, ..Settings::default() };
        let (always, never) = (Night::new(&always), Night::new(&Settings::default()));
        for admin in 0..10_000 {
            assert_eq!(always.fate(order(admin)), Fate::Printed);
            assert_eq!(always.mischief(order(admin), 1), Some(Mischief::Html));
            assert_eq!(never.fate(order(admin)), Fate::Cancellable);
            assert_eq!(never.mischief(order(admin), 1), None);
        }
    }

    #[test]
    fn latency_stays_in_its_range_and_uses_all_of_it() {
        let night = busy(7);
        let drawn: Vec<_> = (0..10_000).map(|admin| night.latency(order(admin), 1)).collect();
        let (shortest, longest) = (drawn.iter().min(), drawn.iter().max());
        let ms = Duration::from_millis;
        assert!(shortest.is_some_and(|d| (ms(20)..ms(21)).contains(d)), "{shortest:?}");
        assert!(longest.is_some_and(|d| (ms(59)..=ms(60)).contains(d)), "{longest:?}");
    }

    #[test]
    fn error_statuses_are_all_three_drawn() {
        let night = busy(7);
        for status in [500, 502, 504] {
            let drawn = (0..3_000).filter(|admin| night.error_status(order(*admin), 1) == status);
            assert!((850..1_150).contains(&drawn.count()), "{status}");
        }
    }
}
