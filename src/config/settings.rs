//! The settings, checked and complete.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, anyhow};
use tracing::level_filters::LevelFilter;
use url::Url;

use super::defaults::REHEARSAL_EXTERNAL_IP;
use super::endpoint::endpoint;
use super::env::Env;
use super::flags_to_repeat::FlagsToRepeat;
use super::layer::Layer;
use super::merge::merged;
use super::options::Options;
use super::paths;
use super::recorded::recorded;
use super::resolve::{
    body_template, cut_off, max_rows, network, place, purpose, rates, read_auth, required,
    start_window, stop_rules, unlocked_ledger,
};
use super::seal_settings::SealSettings;
use super::section::Section;
use super::setting_name::SettingName;
use super::values::bounded_u32::BoundedU32;
use super::values::delimiter::Delimiter;
use super::values::log_format::LogFormat;
use crate::corecard::auth::Auth;
use crate::corecard::body_template::BodyTemplate;
use crate::corecard::connector::NetworkConfig;
use crate::exit_code::OkIf;
use crate::input::Expected;
use crate::ledger::{LedgerLocation, Purpose, SharedLedgerTimeouts};
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
    /// What separates fields; `None` means that the header shows it.
    pub delimiter: Option<Delimiter>,
    /// The admin number's column; `None` means one of its usual names.
    pub admin_column: Option<String>,
    /// The sequence number's column; `None` means one of its usual names.
    pub sequence_column: Option<String>,
    /// The priority's column; `None` means the input's order.
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
    /// Where they go; `None` means standard error.
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
    /// In which hours a run may be started; `None` means at any time, as in a rehearsal.
    pub start_window: Option<StartWindow>,
    /// Whether to start though not all rows can be sent before the cut-off.
    pub allow_partial: bool,
    /// The rules that stop a run that is going wrong.
    pub stop_rules: StopRuleSettings,
    /// The most rows that may be sent; `None` means any number.
    pub max_rows: Option<u64>,
    /// How long an outage of the server is waited for: 1 ms to a week.
    pub max_outage: Duration,
    /// How the input is read.
    pub input: InputSettings,
    /// Where the ledger is; in a rehearsal, the file of rehearsals.
    pub ledger: LedgerLocation,
    /// The ledger's file of the rehearsals that go with it; `None` if there is no
    /// home folder to keep it in.
    pub rehearsal_ledger: Option<PathBuf>,
    /// How long a process that does not commit keeps its rows, 5 seconds to 10 minutes.
    pub lease: Duration,
    /// The results file; `None` means a name after the input.
    pub results: Option<PathBuf>,
    /// What log lines there are.
    pub logs: LogSettings,
    /// The file of the run's metrics for Prometheus; always `None` in a rehearsal.
    pub metrics: Option<PathBuf>,
    /// The name of the profile that was used.
    pub profile: Option<String>,
    /// The flags with which a later command finds the same configuration, address and ledger.
    pub flags_to_repeat: FlagsToRepeat,
    /// Why the run is started.
    pub purpose: Purpose,
    /// Which ends of the run exit with 0.
    pub ok_if: OkIf,
    /// Where seals are kept outside of the ledger; nowhere in a rehearsal.
    pub seal: SealSettings,
    /// The settings in force, without secrets, as TOML.
    pub configuration: String,
    /// Whether to run a file once more whose run has ended.
    pub again: bool,
    /// Whether to send without asking.
    pub yes: bool,
    /// Whether to show no progress.
    pub quiet: bool,
    /// Whether the summary is JSON on standard output.
    pub json: bool,
}

/// What a command does with the settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CommandKind {
    /// It makes calls.
    Calls,
    /// It connects as for a call, and makes none.
    Connection,
    /// It works on the record alone.
    Record,
}

impl Settings {
    /// How long things are waited for that only a shared ledger has.
    pub fn patience(&self) -> SharedLedgerTimeouts {
        SharedLedgerTimeouts { lease: self.lease, max_outage: self.max_outage }
    }

    /// Reads every source of settings; an error says what to change, and where.
    pub fn load(flags: Layer, env: &Env) -> anyhow::Result<Settings> {
        Settings::read(flags, env, CommandKind::Calls)
    }

    /// The same for a check of the connection: the address of the API's end user may be missing, since
    /// no call is made.
    ///
    /// # Errors
    /// As for [`Settings::load`].
    pub fn load_for_connection(flags: Layer, env: &Env) -> anyhow::Result<Settings> {
        Settings::read(flags, env, CommandKind::Connection)
    }

    /// The same for a command that makes no calls: no secret is read, and what only a request needs
    /// may be missing.
    ///
    /// # Errors
    /// As for [`Settings::load`], and in a rehearsal, which leaves no such work.
    pub fn load_without_calls(flags: Layer, env: &Env) -> anyhow::Result<Settings> {
        Settings::read(flags, env, CommandKind::Record)
    }

    fn read(flags: Layer, env: &Env, kind: CommandKind) -> anyhow::Result<Settings> {
        let makes_calls = kind != CommandKind::Record;
        let (mut options, section) = merged(flags, env)?;
        let rehearse = options.rehearse == Some(true);
        let rehearsal_ledger = paths::rehearsal_ledger(options.ledger.clone(), env).ok();
        let ledger = unlocked_ledger(&mut options, env)?;
        let configuration = recorded(&section, options.profile.as_deref(), &ledger);
        let flags_to_repeat = FlagsToRepeat::of(&section.settings);
        let Section { auth, codes, rehearsal, seal, profiles, .. } = section;
        if rehearse && !makes_calls {
            return Err(anyhow!(
                "a rehearsal leaves no doubt that evidence could end: every rehearsal has a simulator of its own; leave out --rehearse"
            ));
        }
        if rehearse || kind != CommandKind::Calls {
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
            auth: match auth.filter(|_| makes_calls) {
                Some((table, _)) if rehearse => Auth::in_rehearsal(table),
                Some(table) => read_auth(table, env.lookup)?,
                None => Auth::None,
            },
            network: if rehearse || !makes_calls {
                NetworkConfig::default()
            } else {
                network(&mut options, env.lookup)?
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
            rehearsal_ledger,
            ledger,
            lease: required("lease", options.lease)?.get(),
            results: options.results.take(),
            logs: logs(&mut options)?,
            metrics: options.metrics_file.take().filter(|_| !rehearse && makes_calls),
            profile: options.profile.take(),
            flags_to_repeat,
            purpose: purpose(&mut options)?,
            ok_if: OkIf::all(options.ok_if.take().unwrap_or_default()),
            seal: seal.filter(|_| !rehearse).unwrap_or_default(),
            configuration,
            again: options.again == Some(true),
            yes: options.yes == Some(true),
            quiet: options.quiet == Some(true),
            json: options.json == Some(true),
            input: InputSettings::from(options),
        })
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
    if missing.is_empty() {
        Ok(())
    } else {
        Err(anyhow!("these settings have no default and are missing:{}", missing.concat()))
    }
}

fn logs(options: &mut Options) -> anyhow::Result<LogSettings> {
    Ok(LogSettings {
        format: required("log-format", options.log_format)?,
        level: required("log-level", options.log_level)?.0,
        file: options.log_file.take(),
        quiet: options.quiet == Some(true),
    })
}
