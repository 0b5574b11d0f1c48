//! How a simulator is to behave.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use serde::Deserialize;

use super::fault::Fault;
use super::latency::Latency;
use super::login_behavior::LoginBehavior;
use super::share::Share;
use crate::model::whole_number;

const ORDERS: &str = "Shares of the orders, such as 2%";
const LOGIN: &str = "The login";
const FAULTS: &str = "Shares of the calls, such as 2%";

/// How a simulator is to behave. The default is a perfect, instantaneous CoreCARD.
///
/// Shares of orders (`printed`, `unknown`, `cancelled_before`) are decided once
/// for each order; together they are at most 100%. Shares of faults (all that
/// follow) are decided anew each time an order is asked for; they too are at most
/// 100% together.
#[derive(Debug, Clone, PartialEq, Eq, Default, Args, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SimulatorSettings {
    /// Port on 127.0.0.1; 0 takes a free one.
    #[arg(long, default_value_t, value_name = "NUMBER", allow_negative_numbers = true, value_parser = whole_number::<u16>)]
    pub port: u16,
    /// Seed of the faults: the same seed repeats the same faults.
    #[arg(long, default_value_t, value_name = "NUMBER", allow_negative_numbers = true, value_parser = whole_number::<u64>)]
    pub seed: u64,
    /// Time until an answer: 20ms, or 20ms..60ms.
    #[arg(long, default_value_t, value_name = "TIME")]
    pub latency: Latency,
    /// Calls accepted within any one second; the others are answered 429
    ///
    /// Both ends of the second are included. Without it there is no limit; 0 accepts none.
    #[arg(long, value_name = "CALLS", allow_negative_numbers = true, value_parser = whole_number::<u32>)]
    pub capacity: Option<u32>,
    /// Orders that are already printed.
    #[arg(long, default_value_t, hide_default_value = true, value_name = "SHARE", help_heading = ORDERS)]
    pub printed: Share,
    /// Orders that CoreCARD does not know.
    #[arg(long, default_value_t, hide_default_value = true, value_name = "SHARE", help_heading = ORDERS)]
    pub unknown: Share,
    /// Orders that were cancelled before the start.
    #[arg(long, default_value_t, hide_default_value = true, value_name = "SHARE", help_heading = ORDERS)]
    pub cancelled_before: Share,
    /// Not cancelled; connection closed without an answer.
    #[arg(long, default_value_t, hide_default_value = true, value_name = "SHARE", help_heading = FAULTS)]
    pub drop_before: Share,
    /// Cancelled; connection closed without an answer.
    #[arg(long, default_value_t, hide_default_value = true, value_name = "SHARE", help_heading = FAULTS)]
    pub drop_after: Share,
    /// Not cancelled; connection reset without an answer.
    #[arg(long, default_value_t, hide_default_value = true, value_name = "SHARE", help_heading = FAULTS)]
    pub reset_before: Share,
    /// Cancelled; connection reset without an answer.
    #[arg(long, default_value_t, hide_default_value = true, value_name = "SHARE", help_heading = FAULTS)]
    pub reset_after: Share,
    /// Not cancelled; 503 with `Retry-After: 1`.
    #[arg(long, default_value_t, hide_default_value = true, value_name = "SHARE", help_heading = FAULTS)]
    pub unavailable: Share,
    /// Not cancelled; 500, 502 or 504.
    #[arg(long, default_value_t, hide_default_value = true, value_name = "SHARE", help_heading = FAULTS)]
    pub error_before: Share,
    /// Cancelled; 500, 502 or 504.
    #[arg(long, default_value_t, hide_default_value = true, value_name = "SHARE", help_heading = FAULTS)]
    pub error_after: Share,
    /// Not cancelled; 429 with `Retry-After: 1`.
    #[arg(long, default_value_t, hide_default_value = true, value_name = "SHARE", help_heading = FAULTS)]
    pub throttle: Share,
    /// Not cancelled; 200 with the HTML of a login page.
    #[arg(long, default_value_t, hide_default_value = true, value_name = "SHARE", help_heading = FAULTS)]
    pub html: Share,
    /// Cancelled; 200 with JSON that has no `Status`.
    #[arg(long, default_value_t, hide_default_value = true, value_name = "SHARE", help_heading = FAULTS)]
    pub no_status: Share,
    /// Cancelled; 200 with a body shorter than its `Content-Length`, then closed.
    #[arg(long, default_value_t, hide_default_value = true, value_name = "SHARE", help_heading = FAULTS)]
    pub truncated: Share,
    /// Cancelled; no answer until the client closes or the server stops.
    #[arg(long, default_value_t, hide_default_value = true, value_name = "SHARE", help_heading = FAULTS)]
    pub hang: Share,
    /// What CoreCARD's login does.
    #[arg(long, value_enum, default_value_t, value_name = "WHAT", help_heading = LOGIN)]
    pub login: LoginBehavior,
    /// Seconds until a token of the login expires; by default 1800
    #[arg(long, value_name = "SECONDS", help_heading = LOGIN, allow_negative_numbers = true, value_parser = whole_number::<u32>)]
    pub token_lifetime: Option<u32>,
    /// Answer 401 to calls without a token.
    #[arg(long, help_heading = LOGIN)]
    pub require_login: bool,
    /// CSV file with one line for each call; replaced if it exists.
    #[arg(long, value_name = "FILE")]
    pub record: Option<PathBuf>,
}

/// Why settings cannot be followed, as a sentence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SimulatorSettingsError {
    /// More than all orders have an initial state.
    #[error("the shares printed, unknown and cancelled_before come to more than 100% together")]
    TooManyInitialStates,
    /// More than all requests meet faults.
    #[error("the shares of faults, from drop_before to hang, come to more than 100% together")]
    TooManyFaults,
}

impl SimulatorSettings {
    /// A plausible bad scenario: 20 to 60 ms, 4% of orders rejected, and 3% of requests
    /// lost, failed or refused. Nothing hangs: a rehearsal should not wait for timeouts.
    pub fn default_faults(seed: u64) -> SimulatorSettings {
        SimulatorSettings {
            seed,
            latency: Latency::between(Duration::from_millis(20), Duration::from_millis(60)),
            printed: Share::per_mille(20),
            unknown: Share::per_mille(10),
            cancelled_before: Share::per_mille(10),
            drop_before: Share::per_mille(2),
            drop_after: Share::per_mille(2),
            reset_before: Share::per_mille(2),
            reset_after: Share::per_mille(2),
            no_status: Share::per_mille(1),
            truncated: Share::per_mille(1),
            error_before: Share::per_mille(5),
            error_after: Share::per_mille(5),
            unavailable: Share::per_mille(10),
            ..SimulatorSettings::default()
        }
    }

    /// Whether the shares leave room for one another.
    pub fn check(&self) -> Result<(), SimulatorSettingsError> {
        let fits = |parts: u64| parts <= u64::from(Share::WHOLE);
        let initial_states = [self.printed, self.unknown, self.cancelled_before];
        if !fits(initial_states.iter().map(|share| u64::from(share.parts())).sum()) {
            return Err(SimulatorSettingsError::TooManyInitialStates);
        }
        let faults = Fault::ALL.iter().map(|fault| u64::from(self.share_of(*fault).parts()));
        if !fits(faults.sum()) {
            return Err(SimulatorSettingsError::TooManyFaults);
        }
        Ok(())
    }

    /// The share of requests that meet this fault.
    pub fn share_of(&self, fault: Fault) -> Share {
        match fault {
            Fault::DropBefore => self.drop_before,
            Fault::DropAfter => self.drop_after,
            Fault::ResetBefore => self.reset_before,
            Fault::ResetAfter => self.reset_after,
            Fault::Unavailable => self.unavailable,
            Fault::ErrorBefore => self.error_before,
            Fault::ErrorAfter => self.error_after,
            Fault::Throttle => self.throttle,
            Fault::Html => self.html,
            Fault::NoStatus => self.no_status,
            Fault::Truncated => self.truncated,
            Fault::Hang => self.hang,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_read_from_a_table_and_default_to_a_perfect_server() {
        assert_eq!(
            serde_json::from_str::<SimulatorSettings>("{}").unwrap(),
            SimulatorSettings::default()
        );
        let table =
            r#"{"seed": 7, "latency": "20ms", "capacity": 50, "printed": "2%", "hang": 0.5}"#;
        let expected = SimulatorSettings {
            seed: 7,
            latency: Latency::fixed(Duration::from_millis(20)),
            capacity: Some(50),
            printed: Share::per_mille(20),
            hang: Share::per_mille(500),
            ..SimulatorSettings::default()
        };
        assert_eq!(serde_json::from_str::<SimulatorSettings>(table).unwrap(), expected);
    }

    #[test]
    fn a_misspelt_setting_is_refused() {
        assert!(serde_json::from_str::<SimulatorSettings>(r#"{"printd": "2%"}"#).is_err());
    }

    #[test]
    fn shares_must_leave_room_for_one_another() {
        let most = Share::per_mille(600);
        let initial_states =
            SimulatorSettings { printed: most, unknown: most, ..SimulatorSettings::default() };
        assert_eq!(initial_states.check(), Err(SimulatorSettingsError::TooManyInitialStates));
        let faults =
            SimulatorSettings { hang: most, drop_before: most, ..SimulatorSettings::default() };
        assert_eq!(faults.check(), Err(SimulatorSettingsError::TooManyFaults));
        let all = SimulatorSettings {
            printed: Share::ALL,
            hang: Share::ALL,
            ..SimulatorSettings::default()
        };
        assert_eq!(all.check(), Ok(()));
    }

    #[test]
    fn the_default_faults_lose_some_requests_but_never_wait_for_a_timeout() {
        let settings = SimulatorSettings::default_faults(1);
        assert_eq!(settings.check(), Ok(()));
        assert_eq!(settings.hang, Share::NONE);
        let parts: u32 = Fault::ALL.iter().map(|fault| settings.share_of(*fault).parts()).sum();
        assert_eq!(parts, Share::per_mille(30).parts());
    }
}
