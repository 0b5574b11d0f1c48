//! The decisions of a scenario, drawn from its seed: pure functions of the seed, the
//! order and how many times it has been asked for, so that a scenario repeats exactly
//! in whatever order its requests arrive.

use std::time::Duration;

use super::fault::Fault;
use super::labels::InitialState;
use super::latency::Latency;
use super::settings::SimulatorSettings;
use super::share::Share;
use crate::model::Order;

/// Everything a seed decides.
#[derive(Debug, Clone)]
pub(super) struct Scenario {
    seed: u64,
    latency: Latency,
    initial_states: WeightedChoice<InitialState>,
    faults: WeightedChoice<Fault>,
}

/// What a draw is for. Draws for different ends have nothing to do with one another.
#[derive(Debug, Clone, Copy)]
enum Draw {
    InitialState = 1,
    Fault = 2,
    Latency = 3,
    ErrorStatus = 4,
}

impl Scenario {
    pub(super) fn new(settings: &SimulatorSettings) -> Scenario {
        let faults = Fault::ALL.iter().map(|fault| (*fault, settings.share_of(*fault)));
        let initial_states = [
            (InitialState::Printed, settings.printed),
            (InitialState::Unknown, settings.unknown),
            (InitialState::CancelledBefore, settings.cancelled_before),
        ];
        Scenario {
            seed: settings.seed,
            latency: settings.latency,
            initial_states: WeightedChoice::new(initial_states),
            faults: WeightedChoice::new(faults),
        }
    }

    /// How the order stands before the scenario.
    pub(super) fn initial_state(&self, order: Order) -> InitialState {
        self.initial_states
            .pick(|| self.draw(Draw::InitialState, order, 0))
            .unwrap_or(InitialState::Cancellable)
    }

    /// What goes wrong when the order is asked for the `n`th time, if anything.
    pub(super) fn fault(&self, order: Order, n: u32) -> Option<Fault> {
        self.faults.pick(|| self.draw(Draw::Fault, order, n))
    }

    /// How long the answer takes when the order is asked for the `n`th time.
    pub(super) fn latency(&self, order: Order, n: u32) -> Duration {
        let (shortest, longest) = (self.latency.shortest(), self.latency.longest());
        if shortest == longest {
            return shortest;
        }
        let span =
            u64::try_from(longest.saturating_sub(shortest).as_nanos()).unwrap_or(u64::MAX - 1);
        let beyond = scale(self.draw(Draw::Latency, order, n), span + 1);
        shortest.saturating_add(Duration::from_nanos(beyond))
    }

    /// Which error status the answer has when an error it must be.
    pub(super) fn error_status(&self, order: Order, n: u32) -> u16 {
        match scale(self.draw(Draw::ErrorStatus, order, n), 3) {
            0 => 500,
            1 => 502,
            _ => 504,
        }
    }

    fn draw(&self, for_what: Draw, order: Order, n: u32) -> u64 {
        let order_and_time = (order.sequence_number as u64) << 32 | u64::from(n);
        [for_what as u64, order.admin_number as u64, order_and_time]
            .into_iter()
            .fold(mix(self.seed), |drawn, next| mix(drawn ^ next))
    }
}

/// Outcomes with their shares, and blanks for the rest.
#[derive(Debug, Clone)]
struct WeightedChoice<T> {
    /// Each outcome with the end of its sector, in parts of a whole share.
    sectors: Vec<(T, u64)>,
}

impl<T: Copy> WeightedChoice<T> {
    fn new(outcomes: impl IntoIterator<Item = (T, Share)>) -> WeightedChoice<T> {
        let sectors = outcomes
            .into_iter()
            .filter(|(_, share)| *share != Share::NONE)
            .scan(0, |end, (outcome, share)| {
                *end += u64::from(share.parts());
                Some((outcome, *end))
            })
            .collect();
        WeightedChoice { sectors }
    }

    /// Draws only if there is an outcome to draw.
    fn pick(&self, draw: impl FnOnce() -> u64) -> Option<T> {
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

    /// A scenario in which every kind of thing happens often.
    fn busy(seed: u64) -> Scenario {
        let mut settings = SimulatorSettings::default_faults(seed);
        settings.hang = Share::per_mille(100);
        settings.throttle = Share::per_mille(250);
        Scenario::new(&settings)
    }

    fn decisions(scenario: &Scenario) -> Vec<(InitialState, Option<Fault>, Duration, u16)> {
        (0..1_000)
            .map(order)
            .flat_map(|order| (1..4).map(move |n| (order, n)))
            .map(|(order, n)| {
                let initial_state = scenario.initial_state(order);
                (
                    initial_state,
                    scenario.fault(order, n),
                    scenario.latency(order, n),
                    scenario.error_status(order, n),
                )
            })
            .collect()
    }

    #[test]
    fn the_same_seed_is_the_same_scenario_and_another_seed_is_another() {
        assert_eq!(decisions(&busy(7)), decisions(&busy(7)));
        assert_ne!(decisions(&busy(7)), decisions(&busy(8)));
    }

    #[test]
    fn a_scenario_does_not_change_from_one_version_to_the_next() {
        let scenario = busy(7);
        let seen = decisions(&scenario).into_iter().take(4).collect::<Vec<_>>();
        let delay = Duration::from_nanos;
        let expected = [
            (InitialState::Cancellable, None, delay(58_191_695), 504),
            (InitialState::Cancellable, Some(Fault::Throttle), delay(52_412_482), 500),
            (InitialState::Cancellable, None, delay(55_342_351), 502),
            (InitialState::Cancellable, Some(Fault::Throttle), delay(43_895_599), 500),
        ];
        assert_eq!(seen, expected);
    }

    #[test]
    fn shares_come_out_about_right_over_many_orders() {
        const ORDERS: usize = 100_000;
        let settings = SimulatorSettings {
            hang: Share::per_mille(100),
            ..SimulatorSettings::default_faults(3)
        };
        let scenario = Scenario::new(&settings);
        let near = |seen: usize, share: Share| {
            let expected = ORDERS as f64 * f64::from(share.parts()) / f64::from(Share::WHOLE);
            // Five standard deviations: a fair draw is outside once in a million tries.
            (seen as f64 - expected).abs() <= 5.0 * expected.sqrt()
        };
        let count_initial = |initial_state| {
            (0..ORDERS)
                .filter(|admin| scenario.initial_state(order(*admin as i64)) == initial_state)
                .count()
        };
        assert!(near(count_initial(InitialState::Printed), settings.printed));
        assert!(near(count_initial(InitialState::Unknown), settings.unknown));
        assert!(near(count_initial(InitialState::CancelledBefore), settings.cancelled_before));
        for fault in Fault::ALL {
            let seen = (0..ORDERS)
                .filter(|admin| scenario.fault(order(*admin as i64), 1) == Some(*fault))
                .count();
            assert!(near(seen, settings.share_of(*fault)), "{fault}: {seen}");
        }
    }

    #[test]
    fn each_asking_and_each_sequence_number_is_drawn_for_itself() {
        let half =
            SimulatorSettings { throttle: Share::per_mille(500), ..SimulatorSettings::default() };
        let scenario = Scenario::new(&half);
        let by_asking = (1..1_000).filter(|n| scenario.fault(order(1), *n).is_some()).count();
        let by_sequence = (1..1_000)
            .map(|sequence_number| Order { admin_number: 1, sequence_number })
            .filter(|order| scenario.fault(*order, 1).is_some())
            .count();
        assert!((400..600).contains(&by_asking), "{by_asking}");
        assert!((400..600).contains(&by_sequence), "{by_sequence}");
    }

    #[test]
    fn a_share_of_all_is_always_and_a_share_of_none_is_never() {
        let always = SimulatorSettings {
            printed: Share::ALL,
            html: Share::ALL,
            ..SimulatorSettings::default()
        };
        let (always, never) =
            (Scenario::new(&always), Scenario::new(&SimulatorSettings::default()));
        for admin in 0..10_000 {
            assert_eq!(always.initial_state(order(admin)), InitialState::Printed);
            assert_eq!(always.fault(order(admin), 1), Some(Fault::Html));
            assert_eq!(never.initial_state(order(admin)), InitialState::Cancellable);
            assert_eq!(never.fault(order(admin), 1), None);
        }
    }

    #[test]
    fn latency_stays_in_its_range_and_uses_all_of_it() {
        let scenario = busy(7);
        let drawn: Vec<_> = (0..10_000).map(|admin| scenario.latency(order(admin), 1)).collect();
        let (shortest, longest) = (drawn.iter().min(), drawn.iter().max());
        let ms = Duration::from_millis;
        assert!(shortest.is_some_and(|d| (ms(20)..ms(21)).contains(d)), "{shortest:?}");
        assert!(longest.is_some_and(|d| (ms(59)..=ms(60)).contains(d)), "{longest:?}");
    }

    #[test]
    fn error_statuses_are_all_three_drawn() {
        let scenario = busy(7);
        for status in [500, 502, 504] {
            let drawn =
                (0..3_000).filter(|admin| scenario.error_status(order(*admin), 1) == status);
            assert!((850..1_150).contains(&drawn.count()), "{status}");
        }
    }
}
