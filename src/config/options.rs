//! Every setting that is a flag, a variable and a key: each is written once, here.

use std::any::TypeId;
use std::error::Error as _;
use std::ffi::OsString;
use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::{Arg, ArgAction, Args, Command, FromArgMatches, ValueHint};

use super::defaults::default_of;
use super::ledger_arg::LedgerArg;
use super::values::bounded_duration::{BoundedDuration, HOUR};
use super::values::bounded_u32::BoundedU32;
use super::values::delimiter::Delimiter;
use super::values::log_format::{LogFormat, LogLevel};
use super::values::or_off::OrOff;
use crate::hash::Digest;
use crate::model::{NotProcessed, OnDoubt};
use crate::policy::cut_off::CutOff;
use crate::policy::max_failures::MaxFailures;
use crate::policy::rate::Rates;
use crate::policy::start_window::StartWindow;

const SERVER: &str = "CoreCARD";
const PACE: &str = "Pace";
const RETRIES: &str = "Retries";
const STOPPING: &str = "Stopping";
const THIS_RUN: &str = "This run";
const INPUT: &str = "Input";
const PLACES: &str = "Where things go";
const LOGS: &str = "Logs";
const FIELDS: &str = "Request fields";
const CONFIGURATION: &str = "Configuration";

/// The value name that makes a flag a switch: `--yes`, or `--yes=no` to undo a
/// `yes = true` of the configuration file.
const YES_OR_NO: &str = "yes|no";

/// Every setting that has a flag; `None` if it is not set and has no default.
#[derive(Debug, Clone, Default, PartialEq, Args)]
#[command(mut_args = with_default)]
pub struct Options {
    /// The base address of CoreCARD's API, as https://host or https://host/path
    ///
    /// The path /api/CoreCredit/CardManagement/CancelPhysicalCardOrder is appended to it. It must
    /// be https; http is allowed to this machine only. Needed, unless the run is a rehearsal.
    #[arg(long, help_heading = SERVER, value_name = "URL")]
    pub url: Option<String>,

    /// Reach https through this proxy, as http://host:port
    ///
    /// Its user name and password are in CARDCANCEL_PROXY_USERNAME and CARDCANCEL_PROXY_PASSWORD,
    /// or in files that the same variables with _FILE at their end name; never in the address. The
    /// system's own proxy variables are not looked at.
    #[arg(long, help_heading = SERVER, value_name = "URL")]
    pub proxy: Option<String>,

    /// Trust the authorities in this file beside those that the system trusts
    ///
    /// Certificates in PEM form, for a server whose certificate an authority of your own signed.
    #[arg(long, help_heading = SERVER, value_name = "FILE")]
    pub ca_file: Option<PathBuf>,

    /// The certificate that proves who we are, in PEM form
    ///
    /// For servers that ask for one (mutual TLS). Those that lead from it to its authority may
    /// follow it. Needs --client-key-file.
    #[arg(long, help_heading = SERVER, value_name = "FILE")]
    pub client_cert_file: Option<PathBuf>,

    /// The private key of our certificate, in PEM form without a passphrase
    ///
    /// Nobody but its owner may be able to read the file.
    #[arg(long, help_heading = SERVER, value_name = "FILE")]
    pub client_key_file: Option<PathBuf>,

    /// Never call faster than this: calls a second, minute or hour, as 50/s, 1000/m, 20000/h
    ///
    /// Set it to what the contract with CoreCARD allows. Given more than once, or with commas
    /// between several, all of them hold at the same time: 50/s,100000/h. "unlimited" alone takes
    /// the limit away.
    #[arg(long, help_heading = PACE, value_name = "RATE")]
    pub rate: Option<Vec<Rates>>,

    /// At most this many calls at the same time, 1 to 10000
    ///
    /// To use a rate to the full, it must be at least the rate in calls a second times the seconds
    /// that an answer takes: 50/s with answers after half a second needs 25.
    #[arg(long, help_heading = PACE, value_name = "CALLS")]
    pub concurrency: Option<BoundedU32<10_000>>,

    /// How long one call may take, as 30s or 500ms; at most 1h
    ///
    /// Counted from connecting to the last byte of the answer. A call that takes longer is in
    /// doubt: CoreCARD may or may not have cancelled the order.
    #[arg(long, help_heading = PACE, value_name = "TIME")]
    pub timeout: Option<BoundedDuration<1, HOUR>>,

    /// At most this many attempts for a row, 1 to 100
    ///
    /// Another attempt is made when a call was surely not carried out and may succeed later, or
    /// when its answer was lost (see --on-doubt). Every attempt counts against the rate.
    #[arg(long, help_heading = RETRIES, value_name = "ATTEMPTS")]
    pub attempts: Option<BoundedU32<100>>,

    /// When an answer was lost: "retry" asks again, "leave" leaves the row in doubt
    ///
    /// Asking again is safe: admin number and sequence number name exactly one order, so a repeat
    /// cannot cancel another. But CoreCARD may then reject the order because the lost call has
    /// already cancelled it; the results mark such a row with doubt.
    #[arg(long, help_heading = RETRIES, value_name = "retry|leave", value_parser = on_doubt)]
    pub on_doubt: Option<OnDoubt>,

    /// HTTP statuses that your gateway gives before it passes a request on, as 429,503
    ///
    /// A call that is answered with one of these was surely not carried out, and is made again. With
    /// any other status from 500 on, or 408, the order is in doubt: a gateway may say so after
    /// CoreCARD has cancelled it. "none" is no status. 503 is to be added only by who knows that
    /// nothing on the way says it after a request was passed on.
    #[arg(long, help_heading = RETRIES, value_name = "STATUSES|none")]
    pub not_processed_statuses: Option<Vec<NotProcessed>>,

    /// Be done by this time of day, as 03:30 or 03:30[America/New_York]
    ///
    /// Give the time at which the embosser starts to print: a printed card's order cannot be
    /// cancelled. The last call starts one --timeout earlier, so that it is answered by then. It is
    /// HH:MM or HH:MM:SS, in the system's time zone unless one is named, and means its next
    /// occurrence; but one that passed less than two hours ago has passed, and nothing is sent.
    /// With a date, as 2026-11-27T03:30[America/New_York], it means that one alone. Rows that were
    /// not sent by then have the status not_sent. A run started again within 12 hours after its
    /// cut-off sends nothing more.
    #[arg(long, help_heading = STOPPING, value_name = "TIME")]
    pub cut_off: Option<CutOff>,

    /// Start in these hours only, as 22:00-03:00 or 22:00-03:00[America/New_York]
    ///
    /// For schedulers: a start outside of them, by a job that is late or a machine that comes back
    /// in the morning, sends nothing. The hours are those of the system's time zone unless one is
    /// named. A run that was started in them goes on after them. A rehearsal may start at any time.
    #[arg(long, help_heading = STOPPING, value_name = "TIME-TIME|off")]
    pub start_window: Option<OrOff<StartWindow>>,

    /// Start even if the rate does not allow all rows to be sent before the cut-off
    ///
    /// Without it, a file that cannot be finished in time is refused before anything is sent.
    #[arg(long, help_heading = STOPPING, value_name = YES_OR_NO, value_parser = yes_or_no)]
    pub allow_partial: Option<bool>,

    /// Stop when more rows than this have failed: a number (25) or a share (5%)
    ///
    /// A share is of the rows that have ended, from 1% to 100%, and is counted once 100 rows have
    /// ended. "off", the default, lets any number fail.
    #[arg(long, help_heading = STOPPING, value_name = "ROWS|SHARE|off")]
    pub max_failures: Option<OrOff<MaxFailures>>,

    /// Stop when more rows than this failed one after another
    ///
    /// A row fails that ends as rejected, failed or in_doubt; a cancelled row between them begins
    /// the count anew. Rows count in the order in which they end.
    #[arg(long, help_heading = STOPPING, value_name = "ROWS|off")]
    pub max_consecutive_failures: Option<OrOff<BoundedU32<1_000_000>>>,

    /// Stop when more answers than this were lost one after another
    ///
    /// Every attempt counts whose answer was lost; an answer that can be trusted begins the count
    /// anew, whatever it says. One stall of the server can lose the answers of all calls in flight,
    /// so it should be above --concurrency.
    #[arg(long, help_heading = STOPPING, value_name = "ANSWERS|off")]
    pub max_consecutive_doubts: Option<OrOff<BoundedU32<1_000_000>>>,

    /// Stop when more rows than this failed one after another with the same error code
    ///
    /// As --max-consecutive-failures, but a failure with another code begins the count anew, too.
    #[arg(long, help_heading = STOPPING, value_name = "ROWS|off")]
    pub max_consecutive_same_code: Option<OrOff<BoundedU32<1_000_000>>>,

    /// Send this many rows first, one at a time, and stop if they do not do well
    ///
    /// The other rows start when all of these have ended and no more than one in ten of them
    /// failed; of fewer than ten, none may fail. So it is each time that the run is started.
    #[arg(long, help_heading = STOPPING, value_name = "ROWS|off")]
    pub canary: Option<OrOff<BoundedU32<10_000>>>,

    /// Refuse a file with more rows to send than this
    ///
    /// Nothing is sent then. It guards runs with --yes against a file that is not the one that was
    /// meant.
    #[arg(long, help_heading = STOPPING, value_name = "ROWS|off")]
    pub max_rows: Option<OrOff<BoundedU32<{ u32::MAX }>>>,

    /// Stop when CoreCARD has been away for longer than this, as 15m or 90s; at most 168h
    ///
    /// When call after call finds no server that works, nothing more is sent but one probe at a
    /// time, and the run goes on as soon as one is answered. Calls made into an outage do not count
    /// against --attempts. A database that holds the ledger is waited for as long.
    #[arg(long, help_heading = STOPPING, value_name = "TIME")]
    pub max_outage: Option<BoundedDuration<1, { 168 * HOUR }>>,

    /// Run a file once more whose run has ended
    ///
    /// Without it, the same command on the same file goes on with a run that stopped early, and
    /// only writes the results again of one that ended.
    #[arg(long, help_heading = THIS_RUN, value_name = YES_OR_NO, value_parser = yes_or_no)]
    pub again: Option<bool>,

    /// Do not ask before sending; needed where there is no terminal to ask on
    #[arg(long, help_heading = THIS_RUN, value_name = YES_OR_NO, value_parser = yes_or_no)]
    pub yes: Option<bool>,

    /// Send everything to a built-in simulator of CoreCARD instead
    ///
    /// A whole run with nothing real in it: no address or credentials are needed, nothing leaves
    /// this machine, and the real ledger is not touched.
    #[arg(long, help_heading = THIS_RUN, value_name = YES_OR_NO, value_parser = yes_or_no)]
    pub rehearse: Option<bool>,

    /// Show no progress
    ///
    /// Errors and the summary at the end are still shown.
    #[arg(long, help_heading = THIS_RUN, value_name = YES_OR_NO, value_parser = yes_or_no)]
    pub quiet: Option<bool>,

    /// Write the summary to standard output as one JSON object
    #[arg(long, help_heading = THIS_RUN, value_name = YES_OR_NO, value_parser = yes_or_no)]
    pub json: Option<bool>,

    /// What stands between the input's fields: , or ; or | or the word tab
    ///
    /// Without it, the header shows which of the four it is.
    #[arg(long, help_heading = INPUT, value_name = "CHARACTER")]
    pub delimiter: Option<Delimiter>,

    /// The name of the column that holds the admin number
    ///
    /// Without it, it is the column named AdminNumber or admin; capitals, spaces, _ and - make no
    /// difference.
    #[arg(long, help_heading = INPUT, value_name = "NAME")]
    pub admin_column: Option<String>,

    /// The name of the column that holds the card sequence number
    ///
    /// Without it, it is the column named CardSequenceNumber, SequenceNumber, sequence or seq;
    /// capitals, spaces, _ and - make no difference.
    #[arg(long, help_heading = INPUT, value_name = "NAME")]
    pub sequence_column: Option<String>,

    /// The name of the column that says who goes first
    ///
    /// It holds whole numbers from -2000000000 to 2000000000: the smallest goes first, and equal ones
    /// in the input's order. Rows where it is empty or holds anything else go after all others.
    /// Results stay in the input's order. Without it, rows are sent in the input's order.
    #[arg(long, help_heading = INPUT, value_name = "NAME")]
    pub priority_column: Option<String>,

    /// Do not check the admin number's digits for card numbers
    ///
    /// A row with anything in it that looks like a card number is invalid and is not sent. Use
    /// this only where admin numbers are so long that some of them look like card numbers by
    /// chance; all other columns are still checked.
    #[arg(long, help_heading = INPUT, value_name = YES_OR_NO, value_parser = yes_or_no)]
    pub exempt_admin_column: Option<bool>,

    /// Let `run` take a results file for a file of orders
    ///
    /// All of its orders are sent then, cancelled or not, and the doubts that it records are
    /// dropped. Without it, `run` refuses a results file: `rerun` is for those.
    #[arg(long, help_heading = INPUT, value_name = YES_OR_NO, value_parser = yes_or_no)]
    pub as_orders: Option<bool>,

    /// Let `rerun` take at its word a results file that the ledger does not know
    ///
    /// Without it, a results file that is not as it was written is refused where its rows are not
    /// what the ledger has on record for this address, and so is one of another address: what was
    /// cancelled in a rehearsal or at a sandbox is not cancelled here.
    #[arg(long, help_heading = INPUT, value_name = YES_OR_NO, value_parser = yes_or_no)]
    pub trust_results: Option<bool>,

    /// Refuse an input with another number of rows than this
    ///
    /// Rows below the header count, blank ones do not. A last line without a line end is sent
    /// then: without this, --expect-sha256 or a file .sha256 beside the input it is invalid,
    /// since the file may be cut short. A line that was cut short is still a line:
    /// --expect-sha256 is the better proof.
    #[arg(long, help_heading = INPUT, value_name = "ROWS")]
    pub expect_rows: Option<BoundedU32<{ u32::MAX }>>,

    /// Refuse an input with another SHA-256 than this, as sha256sum prints it
    ///
    /// It is that of the file as it is given, compressed or not. A file of the same name with
    /// .sha256 at its end, where there is one beside the input, must hold it, too.
    #[arg(long, help_heading = INPUT, value_name = "HEX")]
    pub expect_sha256: Option<Digest>,

    /// The results file [default: ORDERS.results.csv in the current directory]
    ///
    /// It is written whole or not at all, and never over a file that is not the results of the
    /// same run.
    #[arg(short = 'o', long, help_heading = PLACES, value_name = "FILE")]
    pub results: Option<PathBuf>,

    /// The ledger, which records every attempt before it is made: a file, or a PostgreSQL database
    ///
    /// Without it, it is cardcancel/ledger.db in $XDG_STATE_HOME, or in ~/.local/state if that is
    /// not set. Keep it: it is how a run goes on after a crash, and the proof of what was sent. A
    /// rehearsal has a ledger of its own, which is always a file.
    ///
    /// Several machines share a database, as postgres://USER@HOST/DATABASE: see `cardcancel worker`.
    /// Its password is in CARDCANCEL_LEDGER_PASSWORD, or in the file that
    /// CARDCANCEL_LEDGER_PASSWORD_FILE names; never on the command line.
    #[arg(long, help_heading = PLACES, value_name = "FILE|URL", value_hint = ValueHint::AnyPath)]
    #[arg(value_parser = LedgerArg::parser())]
    pub ledger: Option<LedgerArg>,

    /// How long a process that is not heard of keeps its rows, 5s to 10m
    ///
    /// Where several work on a run, the rows of one that died or was cut off go to the others
    /// after this time. All of them should have the same.
    #[arg(long, help_heading = PLACES, value_name = "TIME")]
    pub lease: Option<BoundedDuration<5_000, 600_000>>,

    /// Write log lines to this file instead of standard error
    ///
    /// Lines are added at its end. A new file is readable by its owner alone. The question before
    /// anything is sent, and the error that ended the program, still stand on standard error.
    #[arg(long, help_heading = LOGS, value_name = "FILE")]
    pub log_file: Option<PathBuf>,

    /// How a log line looks: "text", or "json" for one JSON object a line
    #[arg(long, help_heading = LOGS, value_name = "text|json")]
    pub log_format: Option<LogFormat>,

    /// The least important log lines that are written: error, warn, info or debug
    ///
    /// "debug" has a line for every call that did not cancel its order. With --quiet there are
    /// none below warn on standard error.
    #[arg(long, help_heading = LOGS, value_name = "LEVEL")]
    pub log_level: Option<LogLevel>,

    /// Keep the run's figures in this file, for Prometheus' textfile collector
    ///
    /// Its name must end in .prom for the collector. It is replaced at the start, every 15 seconds
    /// and at the end, and is readable by all: it holds counts and times, and no order. A rehearsal
    /// writes none.
    #[arg(long, help_heading = LOGS, value_name = "FILE")]
    pub metrics_file: Option<PathBuf>,

    /// ExternalIP: the address of the API's end user, at most 50 characters
    ///
    /// CoreCARD requires it, so it must be set, unless the run is a rehearsal.
    #[arg(long, help_heading = FIELDS, value_name = "ADDRESS")]
    pub external_ip: Option<String>,

    /// Source: the kind of system that calls, at most 50 characters
    #[arg(long, help_heading = FIELDS, value_name = "TEXT")]
    pub source: Option<String>,

    /// APIVersion: the version of the API to call, at most 10 characters
    #[arg(long, help_heading = FIELDS, value_name = "VERSION")]
    pub api_version: Option<String>,

    /// SessionID: at most 100 characters; {run}, {row} and {attempt} are filled in
    ///
    /// With "{run}-{row}-{attempt}", a call in CoreCARD's logs leads back to its line in the
    /// results.
    #[arg(long, help_heading = FIELDS, value_name = "TEXT")]
    pub session_id: Option<String>,

    /// RequestTime: send the time of the attempt, as it is in this time zone
    ///
    /// Give the zone's name, as America/New_York or UTC. Without it, no time is sent.
    #[arg(long, help_heading = FIELDS, value_name = "ZONE")]
    pub request_time: Option<String>,

    /// IPAddress: the address of this machine, at most 15 characters
    #[arg(long, help_heading = FIELDS, value_name = "ADDRESS")]
    pub ip_address: Option<String>,

    /// CallerID: the caller's phone number, at most 20 characters
    #[arg(long, help_heading = FIELDS, value_name = "NUMBER")]
    pub caller_id: Option<String>,

    /// CalledID: the called phone number, at most 20 characters
    #[arg(long, help_heading = FIELDS, value_name = "NUMBER")]
    pub called_id: Option<String>,

    /// DateFormat: at most 25 characters; CoreCARD keeps it for future use
    #[arg(long, help_heading = FIELDS, value_name = "TEXT")]
    pub date_format: Option<String>,

    /// CurrencyCode: at most 10 characters; CoreCARD keeps it for future use
    #[arg(long, help_heading = FIELDS, value_name = "CODE")]
    pub currency_code: Option<String>,

    /// CurrencySymbolType: at most 10 characters; CoreCARD keeps it for future use
    #[arg(long, help_heading = FIELDS, value_name = "TEXT")]
    pub currency_symbol_type: Option<String>,

    /// Language: at most 10 characters; CoreCARD keeps it for future use
    #[arg(long, help_heading = FIELDS, value_name = "TEXT")]
    pub language: Option<String>,

    /// The configuration file
    ///
    /// Without it, it is cardcancel.toml in the current directory, else cardcancel/config.toml in
    /// $XDG_CONFIG_HOME, or in ~/.config if that is not set, else
    /// /etc/cardcancel/cardcancel.toml; or none.
    #[arg(long, help_heading = CONFIGURATION, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Use the settings of the file's table [profile.NAME] before those above it
    #[arg(long, help_heading = CONFIGURATION, value_name = "NAME")]
    pub profile: Option<String>,
}

impl Options {
    /// Parses flags, and fills in the defaults; an error says what is wrong with a value.
    pub(super) fn parse(flags: impl Iterator<Item = OsString>) -> Result<Options, String> {
        let matches = Self::command().try_get_matches_from(flags);
        let options = matches.and_then(|matches| Options::from_arg_matches(&matches));
        options.map_err(|error| match error.source() {
            Some(reason) => reason.to_string(),
            None if error.kind() == ErrorKind::InvalidValue => "the value is empty".to_owned(),
            None => error.kind().to_string(),
        })
    }

    /// A value in the plain word for it: a switch is yes or no, however it was said.
    pub(super) fn plain(flag: &str, text: &str) -> String {
        match yes_or_no(text) {
            Ok(true) if Self::kind(flag) == OptionKind::Switch => "yes".to_owned(),
            Ok(false) if Self::kind(flag) == OptionKind::Switch => "no".to_owned(),
            _ => text.to_owned(),
        }
    }

    /// How the configuration file writes the values of a flag.
    pub(super) fn kind(flag: &str) -> OptionKind {
        let command = Self::command();
        let mut args = command.get_arguments();
        args.find(|arg| arg.get_long() == Some(flag)).map_or(OptionKind::Text, OptionKind::from_arg)
    }

    /// Every flag, without its dashes.
    pub fn flags() -> Vec<String> {
        let long = |arg: &Arg| arg.get_long().map(str::to_owned);
        Self::command().get_arguments().filter_map(long).collect()
    }

    /// A command line of nothing but these options, without a program's name.
    pub(super) fn command() -> Command {
        let command = Command::new("options").no_binary_name(true).disable_help_flag(true);
        Options::augment_args(command)
    }
}

/// How the configuration file writes the values of a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OptionKind {
    /// As true or false.
    Switch,
    /// As a text.
    Text,
    /// As a text or a whole number.
    Scalar,
    /// As a text or a whole number, or a list of them.
    List,
}

impl OptionKind {
    fn from_arg(arg: &Arg) -> OptionKind {
        let texts = [TypeId::of::<String>(), TypeId::of::<PathBuf>(), TypeId::of::<LedgerArg>()];
        let value = arg.get_value_parser().type_id();
        match arg.get_action() {
            ArgAction::Append => OptionKind::List,
            _ if is_switch(arg) => OptionKind::Switch,
            _ if texts.iter().any(|text| value == *text) => OptionKind::Text,
            _ => OptionKind::Scalar,
        }
    }
}

/// Lets a switch stand without its value, and gives a flag its default.
fn with_default(arg: Arg) -> Arg {
    let arg = match is_switch(&arg) {
        true => arg.num_args(0..=1).require_equals(true).default_missing_value("yes"),
        false => arg,
    };
    match arg.get_long().and_then(default_of) {
        // The help has it in its own words.
        Some(text) => arg.default_value(text).hide_default_value(true),
        None => arg,
    }
}

fn is_switch(arg: &Arg) -> bool {
    arg.get_value_names().is_some_and(|names| names == [YES_OR_NO])
}

fn yes_or_no(word: &str) -> Result<bool, &'static str> {
    match word.to_ascii_lowercase().as_str() {
        "1" | "true" | "yes" => Ok(true),
        "0" | "false" | "no" => Ok(false),
        _ => Err("write yes or no (or true or false, or 1 or 0)"),
    }
}

fn on_doubt(word: &str) -> Result<OnDoubt, &'static str> {
    match word {
        "retry" => Ok(OnDoubt::Retry),
        "leave" => Ok(OnDoubt::Leave),
        _ => Err("write retry or leave"),
    }
}
