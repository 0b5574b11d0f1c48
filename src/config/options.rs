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
use super::values::purpose::{RecordedText, RequiredPurpose};
use crate::exit_code::OkIf;
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

/// The value name that makes a flag a switch: `--yes`, or `--yes=no` to undo a
/// `yes = true` of the configuration file.
const YES_OR_NO: &str = "yes|no";

/// Every setting that has a flag; `None` if it is not set and has no default.
#[derive(Debug, Clone, Default, PartialEq, Args)]
#[command(mut_args = with_default)]
pub struct Options {
    /// Base address of CoreCARD's API: https://host[/path]
    ///
    /// The path /api/CoreCredit/CardManagement/CancelPhysicalCardOrder is appended to it. It must
    /// be https; plain http is allowed to this machine only. Required, except in a rehearsal.
    #[arg(long, help_heading = SERVER, value_name = "URL")]
    pub url: Option<String>,

    /// Proxy for https connections: http://host:port
    ///
    /// Its user name and password are read from CARDCANCEL_PROXY_USERNAME and
    /// CARDCANCEL_PROXY_PASSWORD, or from the files that the same variables with _FILE appended
    /// name; never from the address. The system's proxy variables are ignored.
    #[arg(long, help_heading = SERVER, value_name = "URL")]
    pub proxy: Option<String>,

    /// Trust the authorities in this file as well as the system's
    ///
    /// Certificates in PEM form. Needed for a server whose certificate was signed by an authority
    /// of your own.
    #[arg(long, help_heading = SERVER, value_name = "FILE")]
    pub ca_file: Option<PathBuf>,

    /// Client certificate for mutual TLS, in PEM form
    ///
    /// Intermediate certificates can follow it in the file. Requires --client-key-file.
    #[arg(long, help_heading = SERVER, value_name = "FILE")]
    pub client_cert_file: Option<PathBuf>,

    /// Private key of the client certificate, without a passphrase
    ///
    /// In PEM form. The file must be readable by its owner only.
    #[arg(long, help_heading = SERVER, value_name = "FILE")]
    pub client_key_file: Option<PathBuf>,

    /// Maximum call rate: 50/s, 1000/m or 20000/h
    ///
    /// Set it to what the contract with CoreCARD allows. Several rates, separated by commas or
    /// given by repeating the flag, all apply at the same time: 50/s,100000/h. "unlimited" alone
    /// removes the limit.
    #[arg(long, help_heading = PACE, value_name = "RATE")]
    pub rate: Option<Vec<Rates>>,

    /// Maximum number of calls in flight, 1 to 10000
    ///
    /// To use the whole rate, it must be at least the rate in calls a second times the seconds that
    /// an answer takes: 50/s with answers after half a second needs 25.
    #[arg(long, help_heading = PACE, value_name = "CALLS")]
    pub concurrency: Option<BoundedU32<10_000>>,

    /// Time limit of one call, such as 30s or 500ms, at most 1h
    ///
    /// Measured from connecting to the last byte of the answer. A call that takes longer is in
    /// doubt: CoreCARD may or may not have cancelled the order.
    #[arg(long, help_heading = PACE, value_name = "TIME")]
    pub timeout: Option<BoundedDuration<1, HOUR>>,

    /// Maximum number of attempts for a row, 1 to 100
    ///
    /// A call is repeated if it was surely not carried out and can succeed later, or if its answer
    /// was lost (see --on-doubt). Every attempt counts against the rate.
    #[arg(long, help_heading = RETRIES, value_name = "ATTEMPTS")]
    pub attempts: Option<BoundedU32<100>>,

    /// After a lost answer, "retry" the call or "leave" the row in doubt
    ///
    /// A retry is safe: admin number and sequence number identify exactly one order, so a repeated
    /// call cannot cancel another. But CoreCARD may then reject the order because the lost call has
    /// already cancelled it; the results mark such a row with doubt.
    #[arg(long, help_heading = RETRIES, value_name = "retry|leave", value_parser = on_doubt)]
    pub on_doubt: Option<OnDoubt>,

    /// HTTP statuses that your gateway sends instead of passing a request on
    ///
    /// For example 429,503. A call answered with one of these was surely not carried out, and is
    /// repeated. After 408, or any other status from 500 on, the order is in doubt: a gateway can
    /// send those after CoreCARD has cancelled it. Add 503 only if you know that nothing between
    /// here and CoreCARD sends it after passing a request on. "none" means no status.
    #[arg(long, help_heading = RETRIES, value_name = "STATUSES|none")]
    pub not_processed_statuses: Option<Vec<NotProcessed>>,

    /// Finish before this time: 03:30 or 03:30[America/New_York]
    ///
    /// Give the time at which the embosser starts to print: the order of a printed card cannot be
    /// cancelled. The last call starts one --timeout earlier, so that it is answered in time.
    ///
    /// The format is HH:MM or HH:MM:SS, in the system's time zone unless a zone is named. It means
    /// the next occurrence of that time; but if that time passed less than two hours ago, nothing
    /// is sent. With a date, as in 2026-11-27T03:30[America/New_York], it means exactly that time.
    ///
    /// Rows not sent by then have the status not_sent. A run started again within 12 hours after
    /// its cut-off sends nothing more, unless the next one is given with its date.
    #[arg(long, help_heading = STOPPING, value_name = "TIME")]
    pub cut_off: Option<CutOff>,

    /// Only start within these hours: 22:00-03:00[America/New_York]
    ///
    /// For schedulers: if a job is late, or a machine comes back in the morning, nothing is sent.
    /// The hours are in the system's time zone unless a zone is named. A run that was started
    /// within them continues after them. A rehearsal can start at any time.
    #[arg(long, help_heading = STOPPING, value_name = "TIME-TIME|off")]
    pub start_window: Option<OrOff<StartWindow>>,

    /// Start even if not all rows can be sent before the cut-off
    ///
    /// Without it, a file that cannot be finished in time is refused before anything is sent.
    #[arg(long, help_heading = STOPPING, value_name = YES_OR_NO, value_parser = yes_or_no)]
    pub allow_partial: Option<bool>,

    /// Stop when more rows than this fail: 25, or 5%
    ///
    /// A share is taken of the rows that have ended, from 1% to 100%, and applies once 100 rows
    /// have ended. "off", the default, allows any number of failures.
    #[arg(long, help_heading = STOPPING, value_name = "ROWS|SHARE|off")]
    pub max_failures: Option<OrOff<MaxFailures>>,

    /// Stop after more consecutive failures than this
    ///
    /// A row that ends as rejected, failed or in_doubt is a failure; a cancelled row resets the
    /// count. Rows count in the order in which they end.
    #[arg(long, help_heading = STOPPING, value_name = "ROWS|off")]
    pub max_consecutive_failures: Option<OrOff<BoundedU32<1_000_000>>>,

    /// Stop after more consecutive lost answers than this
    ///
    /// Every attempt whose answer was lost counts; any trustworthy answer resets the count. One
    /// stall of the server can lose the answers of all calls in flight, so set this above
    /// --concurrency.
    #[arg(long, help_heading = STOPPING, value_name = "ANSWERS|off")]
    pub max_consecutive_doubts: Option<OrOff<BoundedU32<1_000_000>>>,

    /// Stop after more consecutive failures with the same error code
    ///
    /// Like --max-consecutive-failures, but a failure with another code resets the count as well.
    #[arg(long, help_heading = STOPPING, value_name = "ROWS|off")]
    pub max_consecutive_same_code: Option<OrOff<BoundedU32<1_000_000>>>,

    /// Send this many rows first, one at a time; stop if they fail
    ///
    /// The other rows start when all of these have ended and at most one in ten failed; of fewer
    /// than ten, none may fail. This applies each time the run is started.
    #[arg(long, help_heading = STOPPING, value_name = "ROWS|off")]
    pub canary: Option<OrOff<BoundedU32<10_000>>>,

    /// Refuse a file with more rows to send
    ///
    /// Nothing is sent then. It protects runs with --yes from the wrong file.
    #[arg(long, help_heading = STOPPING, value_name = "ROWS|off")]
    pub max_rows: Option<OrOff<BoundedU32<{ u32::MAX }>>>,

    /// Stop when CoreCARD is unavailable for longer than this
    ///
    /// At most 168h. While no call finds a working server, only one probe at a time is sent, and
    /// the run continues as soon as one is answered. Calls made into an outage do not count against
    /// --attempts. A database that holds the ledger is waited for as long.
    #[arg(long, help_heading = STOPPING, value_name = "TIME")]
    pub max_outage: Option<BoundedDuration<1, { 168 * HOUR }>>,

    /// Why the orders are cancelled, for the record
    ///
    /// One line of at most 200 characters. It is shown by `runs` and `history`, and is part of the
    /// seal and of every export.
    #[arg(long, help_heading = THIS_RUN, value_name = "TEXT")]
    pub reason: Option<RecordedText>,

    /// Who asked for the cancellation, for the record
    #[arg(long, help_heading = THIS_RUN, value_name = "TEXT")]
    pub requested_by: Option<RecordedText>,

    /// The ticket of the cancellation, for the record
    #[arg(long, help_heading = THIS_RUN, value_name = "TEXT")]
    pub ticket: Option<RecordedText>,

    /// Refuse to start without these: reason, requested-by, ticket
    ///
    /// Separated by commas; "none" requires nothing. Meant for a profile: require_purpose = ["ticket"].
    #[arg(long, help_heading = THIS_RUN, value_name = "FLAGS|none")]
    pub require_purpose: Option<Vec<RequiredPurpose>>,

    /// Exit with 0 if only such rows are left: rejected, failed, invalid, in_doubt, cut_off
    ///
    /// Separated by commas; "none" is the default. For schedulers: the summary shows which exit code
    /// the run would have without it. rejected is without doubt, in_doubt includes rejected with
    /// doubt, and cut_off is a run that its cut-off stopped; any other early stop, a changed input
    /// and a failure of the ledger keep their codes.
    #[arg(long, help_heading = THIS_RUN, value_name = "ENDS|none")]
    pub ok_if: Option<Vec<OkIf>>,

    /// Run a file again whose run has ended
    ///
    /// Without it, the same command on the same file resumes a run that stopped early, and only
    /// writes the results again of a run that ended.
    #[arg(long, help_heading = THIS_RUN, value_name = YES_OR_NO, value_parser = yes_or_no)]
    pub again: Option<bool>,

    /// Send without asking; needed off a terminal
    #[arg(long, help_heading = THIS_RUN, value_name = YES_OR_NO, value_parser = yes_or_no)]
    pub yes: Option<bool>,

    /// Send to a built-in simulator instead of CoreCARD
    ///
    /// A whole run in which nothing is real: it needs no address and no credentials, nothing leaves
    /// this machine, and the real ledger is not touched.
    #[arg(long, help_heading = THIS_RUN, value_name = YES_OR_NO, value_parser = yes_or_no)]
    pub rehearse: Option<bool>,

    /// Show no progress
    ///
    /// Errors and the summary are still shown.
    #[arg(long, help_heading = THIS_RUN, value_name = YES_OR_NO, value_parser = yes_or_no)]
    pub quiet: Option<bool>,

    /// Print the summary as one JSON object
    #[arg(long, help_heading = THIS_RUN, value_name = YES_OR_NO, value_parser = yes_or_no)]
    pub json: Option<bool>,

    /// Field separator of the input: , or ; or | or tab
    ///
    /// Without it, the header shows which of the four it is.
    #[arg(long, help_heading = INPUT, value_name = "CHARACTER")]
    pub delimiter: Option<Delimiter>,

    /// Name of the column with the admin number
    ///
    /// Without it, the column named AdminNumber or admin is used; case, spaces, _ and - make no
    /// difference.
    #[arg(long, help_heading = INPUT, value_name = "NAME")]
    pub admin_column: Option<String>,

    /// Name of the column with the card sequence number
    ///
    /// Without it, the column named CardSequenceNumber, SequenceNumber, sequence or seq is used;
    /// case, spaces, _ and - make no difference.
    #[arg(long, help_heading = INPUT, value_name = "NAME")]
    pub sequence_column: Option<String>,

    /// Name of the column that decides which rows are sent first
    ///
    /// It holds whole numbers from -2000000000 to 2000000000. The smallest is sent first, equal
    /// ones in the order of the input, and rows without such a number last. The results keep the
    /// order of the input. Without this flag, rows are sent in the order of the input.
    #[arg(long, help_heading = INPUT, value_name = "NAME")]
    pub priority_column: Option<String>,

    /// Do not check admin numbers for card numbers
    ///
    /// A row with anything in it that looks like a card number is invalid and is not sent. Use this
    /// only if admin numbers are so long that some of them look like card numbers by chance; all
    /// other columns are still checked.
    #[arg(long, help_heading = INPUT, value_name = YES_OR_NO, value_parser = yes_or_no)]
    pub exempt_admin_column: Option<bool>,

    /// Let `run` read a results file as a file of orders
    ///
    /// All of its orders are sent then, cancelled or not, and the doubts that it records are
    /// dropped. Without it, `run` refuses a results file: use `rerun` for those.
    #[arg(long, help_heading = INPUT, value_name = YES_OR_NO, value_parser = yes_or_no)]
    pub as_orders: Option<bool>,

    /// Let `rerun` trust a results file that the ledger does not know
    ///
    /// Without it, `rerun` refuses a results file that was changed since it was written if its rows
    /// differ from the ledger's record for this address, and a results file of another address:
    /// what was cancelled in a rehearsal or in a sandbox is not cancelled here.
    #[arg(long, help_heading = INPUT, value_name = YES_OR_NO, value_parser = yes_or_no)]
    pub trust_results: Option<bool>,

    /// Refuse an input with any other number of rows than this
    ///
    /// Rows below the header count, blank lines do not. With this flag, a last line without a line
    /// end is sent; without it, --expect-sha256 or a .sha256 file beside the input, that line is
    /// invalid, since the file may be cut short. A last line that was cut short still counts as a
    /// row: --expect-sha256 proves more.
    #[arg(long, help_heading = INPUT, value_name = "ROWS")]
    pub expect_rows: Option<BoundedU32<{ u32::MAX }>>,

    /// Refuse an input with any other SHA-256, as sha256sum prints it
    ///
    /// It is the digest of the file as it is given, compressed or not. If there is a file of the
    /// same name with .sha256 appended beside the input, its digest must match as well.
    #[arg(long, help_heading = INPUT, value_name = "HEX")]
    pub expect_sha256: Option<Digest>,

    /// Results file [default: ORDERS.results.csv]
    ///
    /// The default is in the current directory. The file is written whole or not at all, and never
    /// over a file that is not the results of the same run.
    #[arg(short = 'o', long, help_heading = PLACES, value_name = "FILE")]
    pub results: Option<PathBuf>,

    /// The record of all attempts: a file, or a database
    ///
    /// An attempt is recorded in the ledger before it is made. The default is cardcancel/ledger.db
    /// in $XDG_STATE_HOME, or in ~/.local/state if that is not set. Keep it: it is what lets a run
    /// resume after a crash, and the proof of what was sent. A rehearsal has a separate ledger,
    /// which is always a file.
    ///
    /// Several machines can share a database, given as postgres://USER@HOST/DATABASE: see
    /// `cardcancel worker`. Its password is read from CARDCANCEL_LEDGER_PASSWORD, or from the file
    /// that CARDCANCEL_LEDGER_PASSWORD_FILE names; never from the command line.
    #[arg(long, help_heading = PLACES, value_name = "FILE|URL", value_hint = ValueHint::AnyPath)]
    #[arg(value_parser = LedgerArg::parser())]
    pub ledger: Option<LedgerArg>,

    /// How long a silent process keeps its rows, 5s to 10m
    ///
    /// If several processes work on a run and one of them dies or is cut off, its rows go to the
    /// others after this time. Give all of them the same value.
    #[arg(long, help_heading = PLACES, value_name = "TIME")]
    pub lease: Option<BoundedDuration<5_000, 600_000>>,

    /// Append log lines to this file instead of standard error
    ///
    /// A new file can be read by its owner only. The question before sending, and the error that
    /// ends the program, still go to standard error.
    #[arg(long, help_heading = LOGS, value_name = "FILE")]
    pub log_file: Option<PathBuf>,

    /// Format of a log line: "text", or "json" for one JSON object a line
    #[arg(long, help_heading = LOGS, value_name = "text|json")]
    pub log_format: Option<LogFormat>,

    /// Lowest level that is logged
    ///
    /// "debug" adds a line for every call that did not cancel its order. With --quiet, standard
    /// error gets only error and warn.
    #[arg(long, help_heading = LOGS, value_name = "error|warn|info|debug")]
    pub log_level: Option<LogLevel>,

    /// Write Prometheus metrics to this file, for the textfile collector
    ///
    /// The collector reads files whose name ends in .prom. The file is replaced at the start, every
    /// 15 seconds and at the end, and everybody can read it: it holds counts and times, and no
    /// order. A rehearsal writes none.
    #[arg(long, help_heading = LOGS, value_name = "FILE")]
    pub metrics_file: Option<PathBuf>,

    /// ExternalIP: address of the API's end user, at most 50 characters
    ///
    /// CoreCARD requires it, so it must be set, except in a rehearsal.
    #[arg(long, help_heading = FIELDS, value_name = "ADDRESS")]
    pub external_ip: Option<String>,

    /// Source: kind of the calling system, at most 50 characters
    #[arg(long, help_heading = FIELDS, value_name = "TEXT")]
    pub source: Option<String>,

    /// APIVersion: version of the API to call, at most 10 characters
    #[arg(long, help_heading = FIELDS, value_name = "VERSION")]
    pub api_version: Option<String>,

    /// SessionID: {run}, {row} and {attempt} are filled in
    ///
    /// At most 100 characters. With "{run}-{row}-{attempt}", a call in CoreCARD's logs leads back
    /// to its line in the results.
    #[arg(long, help_heading = FIELDS, value_name = "TEXT")]
    pub session_id: Option<String>,

    /// RequestTime: send the time of the attempt in this time zone
    ///
    /// Give the name of the zone, such as America/New_York or UTC. Without it, no time is sent.
    #[arg(long, help_heading = FIELDS, value_name = "ZONE")]
    pub request_time: Option<String>,

    /// IPAddress: address of this machine, at most 15 characters
    #[arg(long, help_heading = FIELDS, value_name = "ADDRESS")]
    pub ip_address: Option<String>,

    /// CallerID: the caller's phone number, at most 20 characters
    #[arg(long, help_heading = FIELDS, value_name = "NUMBER")]
    pub caller_id: Option<String>,

    /// CalledID: the called phone number, at most 20 characters
    #[arg(long, help_heading = FIELDS, value_name = "NUMBER")]
    pub called_id: Option<String>,

    /// DateFormat: at most 25 characters; reserved by CoreCARD
    #[arg(long, help_heading = FIELDS, value_name = "TEXT")]
    pub date_format: Option<String>,

    /// CurrencyCode: at most 10 characters; reserved by CoreCARD
    #[arg(long, help_heading = FIELDS, value_name = "CODE")]
    pub currency_code: Option<String>,

    /// CurrencySymbolType: at most 10 characters; reserved by CoreCARD
    #[arg(long, help_heading = FIELDS, value_name = "TEXT")]
    pub currency_symbol_type: Option<String>,

    /// Language: at most 10 characters; reserved by CoreCARD
    #[arg(long, help_heading = FIELDS, value_name = "TEXT")]
    pub language: Option<String>,

    /// Configuration file
    ///
    /// Only one file is read: the one given here; otherwise cardcancel.toml in the current
    /// directory; otherwise cardcancel/config.toml in $XDG_CONFIG_HOME, or in ~/.config if that is
    /// not set; otherwise /etc/cardcancel/cardcancel.toml.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Use [profile.NAME] of the configuration file
    ///
    /// Its settings override those above the profiles, one by one; its tables, such as
    /// [profile.NAME.auth], replace those of the same name as a whole.
    #[arg(long, value_name = "NAME")]
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
    let arg = if is_switch(&arg) {
        arg.num_args(0..=1).require_equals(true).default_missing_value("yes")
    } else {
        // Then -1 is a value that is refused, and not a flag that does not exist.
        let is_number =
            arg.get_action().takes_values() && OptionKind::from_arg(&arg) == OptionKind::Scalar;
        arg.allow_negative_numbers(is_number)
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
