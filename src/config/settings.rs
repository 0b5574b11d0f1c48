//! The settings, checked and complete.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, anyhow};
use jiff::tz::TimeZone;
use tracing::level_filters::LevelFilter;
use url::Url;

use super::defaults::REHEARSAL_EXTERNAL_IP;
use super::endpoint::endpoint;
use super::env::Env;
use super::file::Section;
use super::layer::Layer;
use super::layers::layered;
use super::ledger_arg::LedgerArg;
use super::options::Options;
use super::paths::{self, LEDGER_PASSWORD};
use super::setting_name::SettingName;
use super::values::bounded_u32::BoundedU32;
use super::values::delimiter::Delimiter;
use super::values::log_format::LogFormat;
use super::values::or_off::OrOff;
use crate::corecard::auth::Auth;
use crate::corecard::auth::secret::{EnvLookup, SecretError, secret};
use crate::corecard::body_template::BodyTemplate;
use crate::corecard::connector::NetworkConfig;
use crate::corecard::proxy::Proxy;
use crate::corecard::request_fields::RequestFields;
use crate::corecard::tls::{Tls, TlsFiles};
use crate::input::Expected;
use crate::ledger::{Location, Patience};
use crate::model::{CodeMap, NotProcessed, OnDoubt};
use crate::policy::cut_off::CutOff;
use crate::policy::rate::Rates;
use crate::policy::start_window::StartWindow;
use crate::policy::stop_rules::StopRuleSettings;

/// Where the calls go.
#[derive(Debug, Clone, PartialEq)]
pub enum TargetSettings {
    /// CoreCARD, at this base address: https, or http to this machine; the API's
    /// path is still to be appended, and it may end in a slash or not.
    CoreCard(Url),
    /// The built-in simulator, with the file's `[rehearsal]` table, if there is one.
    Rehearsal(Option<toml::Table>),
}

/// How the input is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InputSettings {
    /// What stands between fields; none: the header shows it.
    pub delimiter: Option<Delimiter>,
    /// The admin number's column; none: one of its usual names.
    pub admin_column: Option<String>,
    /// The sequence number's column; none: one of its usual names.
    pub sequence_column: Option<String>,
    /// The priority's column; none: rows go in the input's order.
    pub priority_column: Option<String>,
    /// Whether the admin number is not checked for card numbers.
    pub exempt_admin_column: bool,
    /// Whether a results file may be run as a file of orders.
    pub as_orders: bool,
    /// Whether a results file that the ledger does not know is taken at its word.
    pub trust_results: bool,
    /// What is known of the input from elsewhere.
    pub expected: Expected,
}

/// What log lines there are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogSettings {
    /// How a line looks.
    pub format: LogFormat,
    /// The least important ones.
    pub level: LevelFilter,
    /// Where they go; none: standard error.
    pub file: Option<PathBuf>,
    /// Whether standard error has none below a warning.
    pub quiet: bool,
}

/// All that `run` and `rerun` need.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where the calls go.
    pub target: TargetSettings,
    /// How a call proves who is calling.
    pub auth: Auth,
    /// TLS and the proxy.
    pub network: NetworkConfig,
    /// What every request holds beside its order.
    pub body: BodyTemplate,
    /// What CoreCARD's codes mean.
    pub codes: CodeMap,
    /// Which HTTP statuses mean that nothing was done.
    pub not_processed: NotProcessed,
    /// The pace.
    pub rates: Rates,
    /// The most calls at the same time, 1 to 10000.
    pub concurrency: u32,
    /// How long one call may take: 1 ms to 1 h.
    pub timeout: Duration,
    /// The most attempts for a row, 1 to 100.
    pub attempts: u32,
    /// What is done about a lost answer.
    pub on_doubt: OnDoubt,
    /// When no new attempt starts any more.
    pub cut_off: Option<CutOff>,
    /// In which hours a run may be started; none: in any, as in a rehearsal.
    pub start_window: Option<StartWindow>,
    /// Whether to start though not all rows can be sent before the cut-off.
    pub allow_partial: bool,
    /// The rules that stop a run that is going wrong.
    pub stop_rules: StopRuleSettings,
    /// The most rows that may be sent; none: any number.
    pub max_rows: Option<u64>,
    /// How long an outage of the server is waited for: 1 ms to a week.
    pub max_outage: Duration,
    /// How the input is read.
    pub input: InputSettings,
    /// Where the ledger is; in a rehearsal, the file of rehearsals.
    pub ledger: Location,
    /// The ledger's file of the rehearsals that go with it; none where there is no
    /// home to keep it in.
    pub rehearsal_ledger: Option<PathBuf>,
    /// How long a process that is not heard of keeps its rows, 5 seconds to 10 minutes.
    pub lease: Duration,
    /// The results file; none: named after the input.
    pub results: Option<PathBuf>,
    /// What log lines there are.
    pub logs: LogSettings,
    /// Where the run's figures are kept for Prometheus; none in a rehearsal.
    pub metrics: Option<PathBuf>,
    /// The name of the profile that was used.
    pub profile: Option<String>,
    /// Whether to run a file once more whose run has ended.
    pub again: bool,
    /// Whether to send without asking.
    pub yes: bool,
    /// Whether to show no progress.
    pub quiet: bool,
    /// Whether the summary is JSON on standard output.
    pub json: bool,
}

/// All that `check` needs.
#[derive(Debug, Clone, PartialEq)]
pub struct CheckSettings {
    /// Where the calls would go, if that is said; nowhere in a rehearsal.
    pub url: Option<Url>,
    /// Where the ledger is; none where there is no home to keep one in.
    pub ledger: Option<Location>,
    /// Whether a file would be run once more whose run has ended.
    pub again: bool,
    /// How the input is read.
    pub input: InputSettings,
    /// The pace.
    pub rates: Rates,
    /// How long one call may take: 1 ms to 1 h.
    pub timeout: Duration,
    /// When no new attempt starts any more.
    pub cut_off: Option<CutOff>,
    /// In which hours a run may be started; none: in any.
    pub start_window: Option<StartWindow>,
    /// The most rows that `run` would send; none: any number.
    pub max_rows: Option<u64>,
    /// Whether `run` would start though not all rows can be sent before the cut-off.
    pub allow_partial: bool,
    /// Whether to show no progress.
    pub quiet: bool,
    /// Whether the summary is JSON on standard output.
    pub json: bool,
}

/// All that `runs` needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunsSettings {
    /// Where the ledger is; in a rehearsal, the file of rehearsals.
    pub ledger: Location,
    /// Whether the answer is JSON.
    pub json: bool,
}

impl Settings {
    /// How long things are waited for that only a shared ledger has.
    pub fn patience(&self) -> Patience {
        Patience { lease: self.lease, max_outage: self.max_outage }
    }

    /// Reads every source of settings; an error says what to change, and where.
    pub fn load(flags: Layer, env: &Env) -> anyhow::Result<Settings> {
        let (mut options, section) = layered(flags, env)?;
        let Section { auth, codes, rehearsal, profiles, .. } = section;
        let rehearse = options.rehearse == Some(true);
        if rehearse {
            options.external_ip.get_or_insert_with(|| REHEARSAL_EXTERNAL_IP.to_owned());
        }
        refuse_missing(&options, rehearse, &profiles)?;
        let url = options.url.take().filter(|_| !rehearse);
        Ok(Settings {
            target: match url {
                Some(url) => {
                    TargetSettings::CoreCard(endpoint(&url).with_context(|| place("url"))?)
                }
                None => TargetSettings::Rehearsal(rehearsal),
            },
            auth: match auth.filter(|_| !rehearse) {
                Some(table) => read_auth(table, env.lookup)?,
                None => Auth::None,
            },
            network: match rehearse {
                true => NetworkConfig::default(),
                false => network(&mut options, env.lookup)?,
            },
            body: body_template(&mut options)?,
            codes: codes.unwrap_or_default(),
            not_processed: NotProcessed::all(required(
                "not-processed-statuses",
                options.not_processed_statuses.take(),
            )?),
            rates: rates(options.rate.take())?,
            concurrency: required("concurrency", options.concurrency)?.get(),
            timeout: required("timeout", options.timeout)?.get(),
            attempts: required("attempts", options.attempts)?.get(),
            on_doubt: required("on-doubt", options.on_doubt)?,
            cut_off: cut_off(&mut options, env)?,
            start_window: start_window(&mut options, env)?.filter(|_| !rehearse),
            allow_partial: options.allow_partial == Some(true),
            stop_rules: stop_rules(&options),
            max_rows: max_rows(&options),
            max_outage: required("max-outage", options.max_outage)?.get(),
            rehearsal_ledger: paths::rehearsal_ledger(options.ledger.clone(), env).ok(),
            ledger: unlocked_ledger(&mut options, env)?,
            lease: required("lease", options.lease)?.get(),
            results: options.results.take(),
            logs: logs(&mut options)?,
            metrics: options.metrics_file.take().filter(|_| !rehearse),
            profile: options.profile.take(),
            again: options.again == Some(true),
            yes: options.yes == Some(true),
            quiet: options.quiet == Some(true),
            json: options.json == Some(true),
            input: InputSettings::from(options),
        })
    }
}

impl CheckSettings {
    /// Reads every source of settings; an error says what to change, and where.
    pub fn load(flags: Layer, env: &Env) -> anyhow::Result<CheckSettings> {
        let (mut options, _) = layered(flags, env)?;
        let url = options.url.take().filter(|_| options.rehearse != Some(true));
        let is_named = options.ledger.is_some();
        Ok(CheckSettings {
            url: url.map(|url| endpoint(&url)).transpose().with_context(|| place("url"))?,
            ledger: match unlocked_ledger(&mut options, env) {
                Ok(ledger) => Some(ledger),
                Err(error) if is_named => return Err(error),
                // No home, no ledger.
                Err(_) => None,
            },
            again: options.again == Some(true),
            rates: rates(options.rate.take())?,
            timeout: required("timeout", options.timeout)?.get(),
            cut_off: cut_off(&mut options, env)?,
            start_window: start_window(&mut options, env)?,
            max_rows: max_rows(&options),
            allow_partial: options.allow_partial == Some(true),
            quiet: options.quiet == Some(true),
            json: options.json == Some(true),
            input: InputSettings::from(options),
        })
    }
}

impl RunsSettings {
    /// Reads every source of settings; an error says what to change, and where.
    pub fn load(flags: Layer, env: &Env) -> anyhow::Result<RunsSettings> {
        let (mut options, _) = layered(flags, env)?;
        let json = options.json == Some(true);
        Ok(RunsSettings { ledger: unlocked_ledger(&mut options, env)?, json })
    }
}

impl From<Options> for InputSettings {
    fn from(options: Options) -> Self {
        InputSettings {
            delimiter: options.delimiter,
            admin_column: options.admin_column,
            sequence_column: options.sequence_column,
            priority_column: options.priority_column,
            exempt_admin_column: options.exempt_admin_column == Some(true),
            as_orders: options.as_orders == Some(true),
            trust_results: options.trust_results == Some(true),
            expected: Expected {
                rows: options.expect_rows.map(BoundedU32::get),
                digest: options.expect_sha256,
            },
        }
    }
}

/// One error for all that is missing, so that it takes one try to put right.
fn refuse_missing(options: &Options, rehearse: bool, profiles: &[String]) -> anyhow::Result<()> {
    let flags = profiles.iter().map(|profile| format!("--profile {profile}"));
    let profiles = match flags.collect::<Vec<_>>().join(" or ") {
        none if none.is_empty() => none,
        flags => format!("; or name a profile that has one: {flags}"),
    };
    let needed = [
        (
            "url",
            "the base address of CoreCARD's API",
            &*profiles,
            options.url.is_some() || rehearse,
        ),
        ("external-ip", "the address of the API's end user", "", options.external_ip.is_some()),
    ];
    let missing: Vec<String> = needed
        .iter()
        .filter(|(.., is_set)| !is_set)
        .map(|(flag, what, or, _)| format!("\n  {what}: set {}{or}", SettingName(flag)))
        .collect();
    match missing.is_empty() {
        true => Ok(()),
        false => {
            Err(anyhow!("these settings have no default and are missing:{}", missing.concat()))
        }
    }
}

/// A setting that has a default and so is always there.
fn required<T>(flag: &str, value: Option<T>) -> anyhow::Result<T> {
    value.with_context(|| format!("missing: set {}", SettingName(flag)))
}

/// The cut-off, with its zone.
fn cut_off(options: &mut Options, env: &Env) -> anyhow::Result<Option<CutOff>> {
    let Some(cut_off) = options.cut_off.take() else { return Ok(None) };
    if cut_off.has_zone() {
        return Ok(Some(cut_off));
    }
    let zone = system_zone("the cut-off", "03:30[America/New_York]", env)?;
    Ok(Some(cut_off.in_zone(zone)))
}

/// The start window, with its zone.
fn start_window(options: &mut Options, env: &Env) -> anyhow::Result<Option<StartWindow>> {
    let Some(window) = options.start_window.take().and_then(OrOff::on) else { return Ok(None) };
    if window.has_zone() {
        return Ok(Some(window));
    }
    let example = "22:00-03:00[America/New_York]";
    let zone = system_zone("the start window", example, env)?;
    Ok(Some(window.in_zone(zone)))
}

/// The system's time zone, on which a setting depends.
fn system_zone(what: &str, example: &str, env: &Env) -> anyhow::Result<TimeZone> {
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

fn stop_rules(options: &Options) -> StopRuleSettings {
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

fn max_rows(options: &Options) -> Option<u64> {
    options.max_rows?.on().map(|rows| rows.get().into())
}

fn logs(options: &mut Options) -> anyhow::Result<LogSettings> {
    Ok(LogSettings {
        format: required("log-format", options.log_format)?,
        level: required("log-level", options.log_level)?.0,
        file: options.log_file.take(),
        quiet: options.quiet == Some(true),
    })
}

fn rates(settings: Option<Vec<Rates>>) -> anyhow::Result<Rates> {
    Rates::parse_list(required("rate", settings)?).with_context(|| place("rate"))
}

/// Where the ledger is: in a rehearsal, the file of rehearsals. A database's password
/// is not in it unless it was named with it.
pub(super) fn ledger(options: &mut Options, env: &Env) -> anyhow::Result<Location> {
    let named = options.ledger.take();
    let is_address = named.as_ref().is_some_and(LedgerArg::is_address);
    let ledger = match options.rehearse {
        Some(true) => paths::rehearsal_ledger(named, env).map(Location::File),
        _ => paths::ledger(named, env),
    };
    if is_address { ledger.with_context(|| place("ledger")) } else { ledger }
}

/// The same, and a database's password with it.
fn unlocked_ledger(options: &mut Options, env: &Env) -> anyhow::Result<Location> {
    let address = match ledger(options, env)? {
        Location::Database(address) => address,
        file => return Ok(file),
    };
    match secret(LEDGER_PASSWORD, env.lookup) {
        Err(SecretError::Missing(_)) => Ok(Location::Database(address)),
        password => {
            let address = address.with_password(&password?).with_context(|| place("ledger"))?;
            Ok(Location::Database(address))
        }
    }
}

fn read_auth(auth: (toml::Table, String), variable: EnvLookup) -> anyhow::Result<Auth> {
    let (table, place) = auth;
    Auth::new(table, variable).context(place)
}

fn network(options: &mut Options, variable: EnvLookup) -> anyhow::Result<NetworkConfig> {
    let files = TlsFiles {
        ca: options.ca_file.take(),
        client_cert: options.client_cert_file.take(),
        client_key: options.client_key_file.take(),
    };
    let proxy = options.proxy.take().map(|address| Proxy::new(&address, variable));
    let proxy = proxy.transpose().with_context(|| place("proxy"))?;
    Ok(NetworkConfig { tls: Tls::new(&files)?, proxy })
}

fn body_template(options: &mut Options) -> anyhow::Result<BodyTemplate> {
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
fn place(flag: &str) -> String {
    let setting = SettingName(flag);
    format!("--{flag} ({}, {})", setting.variable(), setting.key())
}
