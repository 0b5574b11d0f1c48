//! Resolves options into checked values: zones, files, secrets and what has a default.

use anyhow::{Context, anyhow, bail};
use jiff::tz::TimeZone;

use super::env::Env;
use super::ledger_arg::LedgerArg;
use super::options::Options;
use super::paths::{self, LEDGER_PASSWORD};
use super::setting_name::SettingName;
use super::values::bounded_u32::BoundedU32;
use super::values::or_off::OrOff;
use super::values::purpose::{PurposeFlag, RecordedText, RequiredPurpose};
use crate::corecard::auth::Auth;
use crate::corecard::auth::secret::{EnvLookup, SecretError, secret};
use crate::corecard::body_template::BodyTemplate;
use crate::corecard::connector::NetworkConfig;
use crate::corecard::proxy::Proxy;
use crate::corecard::request_fields::RequestFields;
use crate::corecard::tls::{Tls, TlsFiles};
use crate::ledger::{LedgerLocation, Purpose};
use crate::policy::cut_off::CutOff;
use crate::policy::rate::Rates;
use crate::policy::start_window::StartWindow;
use crate::policy::stop_rules::StopRuleSettings;

/// A setting that has a default and so is always there.
pub(super) fn required<T>(flag: &str, value: Option<T>) -> anyhow::Result<T> {
    value.with_context(|| format!("missing: set {}", SettingName(flag)))
}

/// The cut-off, with its zone.
pub(super) fn cut_off(options: &mut Options, env: &Env) -> anyhow::Result<Option<CutOff>> {
    let Some(cut_off) = options.cut_off.take() else { return Ok(None) };
    if cut_off.has_zone() {
        return Ok(Some(cut_off));
    }
    let zone = system_zone("the cut-off", "03:30[America/New_York]", env)?;
    Ok(Some(cut_off.in_zone(zone)))
}

/// The start window, with its zone.
pub(super) fn start_window(
    options: &mut Options,
    env: &Env,
) -> anyhow::Result<Option<StartWindow>> {
    let Some(window) = options.start_window.take().and_then(OrOff::on) else { return Ok(None) };
    if window.has_zone() {
        return Ok(Some(window));
    }
    let example = "22:00-03:00[America/New_York]";
    let zone = system_zone("the start window", example, env)?;
    Ok(Some(window.in_zone(zone)))
}

/// The system's time zone, on which a setting depends.
pub(super) fn system_zone(what: &str, example: &str, env: &Env) -> anyhow::Result<TimeZone> {
    match (TimeZone::try_system(), env.get("TZ")) {
        (Ok(zone), _) => Ok(zone),
        (Err(_), Some(name)) => Err(anyhow!(
            "TZ is \"{}\", which is not the name of a time zone, and {what} depends on it: correct it, or name the zone with the time, as {example}",
            name.to_string_lossy()
        )),
        // A machine that says nothing of its zone is on UTC.
        (Err(_), None) => Ok(TimeZone::UTC),
    }
}

pub(super) fn stop_rules(options: &Options) -> StopRuleSettings {
    fn number<const MAX: u32>(setting: Option<OrOff<BoundedU32<MAX>>>) -> Option<u32> {
        setting?.on().map(BoundedU32::get)
    }
    StopRuleSettings {
        failures: options.max_failures.and_then(OrOff::on),
        consecutive_failures: number(options.max_consecutive_failures),
        consecutive_doubts: number(options.max_consecutive_doubts),
        same_code: number(options.max_consecutive_same_code),
        canary: number(options.canary),
    }
}

/// Why the run is started. In a rehearsal nothing is required.
pub(super) fn purpose(options: &mut Options) -> anyhow::Result<Purpose> {
    let required = RequiredPurpose::all(options.require_purpose.take().unwrap_or_default());
    let mut text = |flag: PurposeFlag| {
        let text = match flag {
            PurposeFlag::Reason => options.reason.take(),
            PurposeFlag::RequestedBy => options.requested_by.take(),
            PurposeFlag::Ticket => options.ticket.take(),
        };
        if text.is_none() && options.rehearse != Some(true) && required.contains(&flag) {
            let name = SettingName(flag.name());
            bail!("the configuration requires --{} for every run: set {name}", flag.name());
        }
        recorded(flag, text)
    };
    Ok(Purpose {
        reason: text(PurposeFlag::Reason)?,
        requested_by: text(PurposeFlag::RequestedBy)?,
        ticket: text(PurposeFlag::Ticket)?,
    })
}

/// Why a request is made; never required.
pub(super) fn reason(options: &mut Options) -> anyhow::Result<Option<String>> {
    recorded(PurposeFlag::Reason, options.reason.take())
}

fn recorded(flag: PurposeFlag, text: Option<RecordedText>) -> anyhow::Result<Option<String>> {
    let Some(text) = text else { return Ok(None) };
    let text = text.into_string().with_context(|| {
        let place = place(flag.name());
        format!(
            "{place}: it holds what looks like a card number, which is never stored: leave it out"
        )
    })?;
    Ok(Some(text))
}

pub(super) fn max_rows(options: &Options) -> Option<u64> {
    options.max_rows?.on().map(|rows| rows.get().into())
}

pub(super) fn rates(settings: Option<Vec<Rates>>) -> anyhow::Result<Rates> {
    Rates::parse_list(required("rate", settings)?).with_context(|| place("rate"))
}

/// Where the ledger is: in a rehearsal, the file of rehearsals. A database's password
/// is not in it unless it was named with it.
pub(super) fn ledger(options: &mut Options, env: &Env) -> anyhow::Result<LedgerLocation> {
    let named = options.ledger.take();
    let is_address = named.as_ref().is_some_and(LedgerArg::is_address);
    let ledger = match options.rehearse {
        Some(true) => paths::rehearsal_ledger(named, env).map(LedgerLocation::File),
        _ => paths::ledger(named, env),
    };
    if is_address { ledger.with_context(|| place("ledger")) } else { ledger }
}

/// The same, and a database's password with it.
pub(super) fn unlocked_ledger(options: &mut Options, env: &Env) -> anyhow::Result<LedgerLocation> {
    let address = match ledger(options, env)? {
        LedgerLocation::Database(address) => address,
        file => return Ok(file),
    };
    match secret(LEDGER_PASSWORD, env.lookup) {
        Err(SecretError::Missing(_)) => Ok(LedgerLocation::Database(address)),
        password => {
            let address = address.with_password(&password?).with_context(|| place("ledger"))?;
            Ok(LedgerLocation::Database(address))
        }
    }
}

pub(super) fn read_auth(auth: (toml::Table, String), variable: EnvLookup) -> anyhow::Result<Auth> {
    let (table, place) = auth;
    Auth::new(table, variable).context(place)
}

pub(super) fn network(options: &mut Options, variable: EnvLookup) -> anyhow::Result<NetworkConfig> {
    let files = TlsFiles {
        ca: options.ca_file.take(),
        client_cert: options.client_cert_file.take(),
        client_key: options.client_key_file.take(),
    };
    let proxy = options.proxy.take().map(|address| Proxy::new(&address, variable));
    let proxy = proxy.transpose().with_context(|| place("proxy"))?;
    Ok(NetworkConfig { tls: Tls::new(&files)?, proxy })
}

pub(super) fn body_template(options: &mut Options) -> anyhow::Result<BodyTemplate> {
    let zone = |name: String| {
        TimeZone::get(&name).map_err(|_| {
            let place = place("request-time");
            anyhow!("{place}: \"{name}\" is not the name of a time zone: write it as America/New_York or UTC")
        })
    };
    let values = RequestFields {
        source: required("source", options.source.take())?,
        ip_address: options.ip_address.take(),
        date_format: options.date_format.take(),
        currency_code: options.currency_code.take(),
        currency_symbol_type: options.currency_symbol_type.take(),
        language: options.language.take(),
        external_ip: required("external-ip", options.external_ip.take())?,
        session_id: options.session_id.take(),
        api_version: required("api-version", options.api_version.take())?,
        caller_id: options.caller_id.take(),
        called_id: options.called_id.take(),
        request_time: options.request_time.take().map(zone).transpose()?,
    };
    Ok(BodyTemplate::new(&values)?)
}

/// Where the setting may stand, to begin an error with.
pub(super) fn place(flag: &str) -> String {
    let setting = SettingName(flag);
    format!("--{flag} ({}, {})", setting.variable(), setting.key())
}
