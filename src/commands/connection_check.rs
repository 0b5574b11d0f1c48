//! `check --connect`: everything between this machine and a call, found without sending one.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use serde_json::{Value, json};

use super::target::Target;
use crate::config::{EffectiveConfig, Env, Layer, Secret, SettingName, Settings, SourcedValue};
use crate::corecard::auth::Auth;
use crate::corecard::auth::credentials::Credentials;
use crate::corecard::probe::{Probe, ProbeStep};
use crate::input::shown;
use crate::output::human_duration;

/// Stands for the run in the login of a check.
const RUN: &str = "check";

/// What was found, step by step.
pub struct ConnectionCheck {
    /// Where calls would go.
    url: String,
    steps: Vec<ProbeStep>,
    /// What only a call could show.
    unknown: Vec<&'static str>,
}

impl ConnectionCheck {
    /// Takes the steps until one fails. Nothing is sent to the path of the call.
    ///
    /// # Errors
    /// When the settings are refused, a secret cannot be read, or a rehearsal cannot start.
    pub fn run(options: Layer, env: &Env) -> anyhow::Result<ConnectionCheck> {
        let runtime = tokio::runtime::Runtime::new().context("cannot start the runtime")?;
        runtime.block_on(ConnectionCheck::take(options, env))
    }

    async fn take(options: Layer, env: &Env<'_>) -> anyhow::Result<ConnectionCheck> {
        let mut probe = Probe::default();
        let began = Instant::now();
        let config = EffectiveConfig::load(options.clone(), env)?;
        let settings = Settings::load_for_connection(options, env)?;
        probe.took("secrets", began.elapsed(), names_of(&config.secrets));
        let Settings { auth, network, body, .. } = &settings;
        let mut unknown = vec![
            "whether this account is allowed to cancel orders",
            "whether the path of the call exists: nothing was sent there",
        ];
        if matches!(auth, Auth::Headers(_) | Auth::Basic { .. } | Auth::Bearer(_)) {
            unknown.push("whether CoreCARD accepts these credentials");
        }
        let target = Target::open(settings.target.clone()).await?;
        // The connection first: where CoreCARD itself gives the token, its steps name the cause.
        if probe.connect(network, &target.url).await.is_some()
            && (target.is_rehearsal() || report_if_not_set(&mut probe, &config).await)
        {
            let credentials = Credentials::new(auth, network, &target.url, body, RUN)?;
            if credentials.can_refresh() {
                unknown.push("whether CoreCARD accepts the token");
                probe.step("token", fetch(&credentials)).await;
            }
        }
        Ok(ConnectionCheck { url: target.name, steps: probe.into_steps(), unknown })
    }

    /// Whether no step failed.
    pub fn holds(&self) -> bool {
        self.steps.iter().all(|step| step.outcome.is_ok())
    }

    /// The steps for people, without a line break at the end.
    pub fn text(&self) -> String {
        let mut text = format!("Connection to {}\n", shown(&self.url));
        for ProbeStep { name, took, outcome } in &self.steps {
            let (mark, found) = match outcome {
                Ok(found) => ("", found),
                Err(failed) => ("FAILED: ", failed),
            };
            let took = milliseconds(*took);
            let _ = writeln!(text, "  {name:<18} {took:>9.1} ms  {mark}{}", shown(found));
        }
        if self.holds() {
            text.push_str("No order was sent. So it is not known:\n");
            for what in &self.unknown {
                let _ = writeln!(text, "  {what}");
            }
        } else {
            text.push_str("No order was sent. The steps after this one were not taken.\n");
        }
        text.trim_end().to_owned()
    }

    /// The same for programs.
    pub fn json(&self) -> Value {
        let step = |ProbeStep { name, took, outcome }: &ProbeStep| {
            let (Ok(detail) | Err(detail)) = outcome;
            json!({
                "step": name, "ok": outcome.is_ok(), "detail": detail,
                "milliseconds": milliseconds(*took),
            })
        };
        json!({
            "version": 1,
            "url": self.url,
            "ok": self.holds(),
            "steps": self.steps.iter().map(step).collect::<Vec<_>>(),
            "unknown": self.unknown,
        })
    }
}

/// Reports that the address of the API's end user is missing, which every call and CoreCARD's login
/// hold. Returns whether it is set.
async fn report_if_not_set(probe: &mut Probe, config: &EffectiveConfig) -> bool {
    let setting = SettingName("external-ip");
    let is_set =
        |(key, value): &(String, Option<SourcedValue>)| *key == setting.key() && value.is_some();
    if config.settings.iter().any(is_set) {
        return true;
    }
    let missing = format!("the address of the API's end user, which every call has: set {setting}");
    probe.step("external_ip", async { Err::<((), String), _>(missing) }).await;
    false
}

/// The variables of the secrets that are set.
fn names_of(secrets: &[Secret]) -> String {
    let names = secrets.iter().filter(|secret| secret.set).map(|secret| secret.variable.as_str());
    match names.collect::<Vec<_>>() {
        none if none.is_empty() => "none is needed".to_owned(),
        names => names.join(", "),
    }
}

/// The token, but for the token itself.
async fn fetch(credentials: &Credentials) -> Result<((), String), String> {
    match credentials.fetch().await {
        Ok(Some(lifetime)) => Ok(((), format!("obtained, lasts {}", human_duration(lifetime)))),
        Ok(None) => Ok(((), "obtained, its lifetime is not known".to_owned())),
        Err(why) => Err(why.to_string()),
    }
}

/// With one decimal place.
fn milliseconds(took: Duration) -> f64 {
    (took.as_secs_f64() * 10_000.0).round() / 10.0
}
