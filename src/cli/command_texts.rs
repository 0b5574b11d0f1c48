//! The flags at a glance, examples and exit codes of every command.

use super::command_help::{CommandHelp, example};
use crate::exit_code::ExitCode;

/// Those of commands that read the ledger and change nothing in it.
const READING: &[(ExitCode, &str)] = &[
    (ExitCode::Done, "done"),
    (
        ExitCode::Refused,
        "there is no such ledger or run, what is to be written exists, or the command line or the \
         configuration was refused",
    ),
    (ExitCode::LedgerFailed, "the ledger or the disk failed"),
];

/// Those of commands without a ledger.
const WITHOUT_LEDGER: &[(ExitCode, &str)] = &[
    (ExitCode::Done, "done"),
    (ExitCode::Refused, "the command line or a file that it names was refused"),
    (ExitCode::LedgerFailed, "the disk failed, or standard output cannot be written"),
];

/// What is shown of every command.
pub const COMMANDS: &[CommandHelp] = &[
    CommandHelp {
        name: "",
        at_a_glance: &[],
        meanings: &[],
        examples: &[
            example(
                "Rehearse: a whole run against a built-in simulator of CoreCARD",
                "cardcancel run orders.csv --rehearse",
            ),
            example("Write a configuration file to start from", "cardcancel config init"),
            example(
                "Report what is wrong with a file; nothing is sent",
                "cardcancel check orders.csv --profile production",
            ),
            example("Cancel its orders", "cardcancel run orders.csv --profile production"),
            example(
                "Send the rows again that are still open",
                "cardcancel rerun orders.results.csv --profile production",
            ),
            example("List what ran", "cardcancel runs"),
        ],
        exit_codes: &ExitCode::LIST,
        see_also: &[],
    },
    CommandHelp {
        name: "check",
        at_a_glance: &[
            "connect", "profile", "config", "url", "rate", "cut-off", "max-rows", "ledger", "json",
            "quiet",
        ],
        meanings: &[
            ("json", "Print the report as one JSON object"),
            ("quiet", "Do not list invalid rows and duplicates"),
        ],
        examples: &[
            example(
                "Report what is wrong with a file, and how long a run of it takes",
                "cardcancel check orders.csv --profile production",
            ),
            example(
                "See whether it can be sent before the embosser starts",
                "cardcancel check orders.csv --rate 50/s --cut-off '03:30[America/New_York]'",
            ),
            example(
                "Report it to a script",
                "cardcancel check orders.csv --profile production --json",
            ),
            example(
                "Try the connection to CoreCARD, and fetch a token",
                "cardcancel check --connect --profile production",
            ),
        ],
        exit_codes: &[
            (ExitCode::Done, "every row can be sent, or is a duplicate of one"),
            (ExitCode::Failures, "some rows are invalid; the others can be sent"),
            (
                ExitCode::Refused,
                "`run` would refuse the file, also because of --max-rows or the cut-off; the connection \
                 failed; or the command line or the configuration was refused",
            ),
            (ExitCode::LedgerFailed, "the disk failed, or standard output cannot be written"),
        ],
        see_also: &["run", "config show"],
    },
    CommandHelp {
        name: "run",
        at_a_glance: &[
            "profile",
            "config",
            "url",
            "rate",
            "cut-off",
            "max-failures",
            "yes",
            "rehearse",
            "results",
            "ledger",
        ],
        meanings: &[],
        examples: &[
            example(
                "Cancel the orders of a file; asks before it sends",
                "cardcancel run orders.csv --profile production",
            ),
            example(
                "Rehearse: a whole run against a built-in simulator of CoreCARD",
                "cardcancel run orders.csv --rehearse",
            ),
            example(
                "From a scheduler, without a question, until the embosser starts",
                "cardcancel run orders.csv --cut-off '03:30[America/New_York]' --yes",
            ),
            example(
                "A first real run: 20 rows first, and stop if more than 5% fail",
                "cardcancel run orders.csv --canary 20 --max-failures 5%",
            ),
            example(
                "After a crash, a cut-off or a stop rule, resume: the same command again",
                "cardcancel run orders.csv --profile production",
            ),
        ],
        exit_codes: &ExitCode::LIST,
        see_also: &["check", "rerun", "runs", "config show"],
    },
    CommandHelp {
        name: "rerun",
        at_a_glance: &[
            "only",
            "profile",
            "config",
            "url",
            "rate",
            "cut-off",
            "max-failures",
            "yes",
            "rehearse",
            "results",
            "ledger",
        ],
        meanings: &[],
        examples: &[
            example(
                "Send the open rows of a results file again",
                "cardcancel rerun orders.results.csv --profile production",
            ),
            example(
                "Send only the rows in doubt, and those that were throttled",
                "cardcancel rerun orders.results.csv --only in_doubt,HTTP_429",
            ),
            example(
                "Name the new results file",
                "cardcancel rerun orders.results.csv -o orders.rerun.csv",
            ),
        ],
        exit_codes: &ExitCode::LIST,
        see_also: &["run", "resolve", "runs"],
    },
    CommandHelp {
        name: "resolve",
        at_a_glance: &[
            "open",
            "cancelled",
            "standing",
            "reason",
            "requested-by",
            "ticket",
            "yes",
            "results",
            "profile",
            "config",
            "url",
            "ledger",
            "json",
        ],
        meanings: &[
            ("yes", "Record it without asking; required where there is no terminal"),
            ("results", "Results file, by default numbered: RESULTS.resolved-1.results.csv"),
            ("reason", "What the evidence is, for the record"),
            ("requested-by", "Who asked for it, for the record"),
            ("ticket", "The ticket, for the record"),
            ("json", "Print the summary as one JSON object"),
            (
                "admin-column",
                "Column of the admin number in the files that have it; the others are read by the usual names",
            ),
            (
                "sequence-column",
                "Column of the sequence number in the files that have it; the others are read by the usual names",
            ),
        ],
        examples: &[
            example(
                "End doubt with the embosser's list of what it is about to print",
                "cardcancel resolve orders.results.csv --standing to-print.csv",
            ),
            example(
                "End doubt over all runs with a report of what is cancelled",
                "cardcancel resolve --open --cancelled cancelled.csv",
            ),
            example(
                "Then send again what is still open",
                "cardcancel rerun orders.resolved-1.results.csv --profile production",
            ),
        ],
        exit_codes: &[
            (ExitCode::Done, "every row is cancelled, or was already"),
            (ExitCode::Failures, "some rows are rejected, failed or invalid"),
            (
                ExitCode::Refused,
                "this command recorded nothing: the command line, the configuration or a file was refused, \
                 or nobody confirmed it",
            ),
            (ExitCode::InDoubt, "some rows are still in doubt"),
            (ExitCode::Stopped, "some rows were not sent"),
            (ExitCode::LedgerFailed, "the ledger or the disk failed"),
        ],
        see_also: &["results", "rerun", "history"],
    },
    CommandHelp {
        name: "worker",
        at_a_glance: &[
            "profile",
            "config",
            "url",
            "concurrency",
            "attempts",
            "max-outage",
            "ledger",
            "lease",
            "log-file",
            "quiet",
        ],
        meanings: &[],
        examples: &[
            example(
                "Join every run that is open, until SIGTERM",
                "cardcancel worker --profile production",
            ),
            example(
                "Name the shared ledger; its password is in CARDCANCEL_LEDGER_PASSWORD",
                "cardcancel worker --ledger postgres://cardcancel@db.example.com/cardcancel",
            ),
        ],
        exit_codes: &[
            (ExitCode::Done, "stopped by a signal"),
            (
                ExitCode::Refused,
                "the command line or the configuration was refused, or there are no credentials",
            ),
            (
                ExitCode::Stopped,
                "this process cannot continue; the runs are left to other processes",
            ),
            (ExitCode::LedgerFailed, "the ledger or the disk failed"),
        ],
        see_also: &["run", "runs"],
    },
    CommandHelp {
        name: "runs",
        at_a_glance: &[
            "since", "limit", "open", "watch", "ledger", "rehearse", "json", "config", "profile",
        ],
        meanings: &[
            ("rehearse", "Use the ledger of rehearsals"),
            ("json", "Print JSON: one object a line"),
        ],
        examples: &[
            example("List all runs, the newest first", "cardcancel runs"),
            example("List those that left something to do", "cardcancel runs --open"),
            example("Show one of them", "cardcancel runs 20261122-091020-6f4f"),
            example(
                "Watch a run that is in progress, on this machine or another",
                "cardcancel runs 20261122-091020-6f4f --watch",
            ),
            example("List them for a script, one JSON object a line", "cardcancel runs --json"),
            example("List the rehearsals", "cardcancel runs --rehearse"),
        ],
        exit_codes: READING,
        see_also: &["run", "ledger info"],
    },
    CommandHelp {
        name: "stop",
        at_a_glance: &["no-wait", "reason", "ledger", "rehearse", "json", "config", "profile"],
        meanings: &[
            ("reason", "Why, for the record"),
            ("rehearse", "Stop a rehearsal"),
            ("json", "Print one JSON object"),
        ],
        examples: &[
            example(
                "Stop a run, and wait until its calls in flight have ended",
                "cardcancel stop 20261122-091020-6f4f --reason 'wrong file'",
            ),
            example(
                "Ask it to stop, and do not wait",
                "cardcancel stop 20261122-091020-6f4f --no-wait",
            ),
        ],
        exit_codes: &[
            (ExitCode::Done, "the run is at rest; with --no-wait, it is asked to stop"),
            (ExitCode::Failures, "it has not come to rest within 2 minutes; it will"),
            (
                ExitCode::Refused,
                "there is no such run, it is not in progress, or the command line or the configuration was \
                 refused",
            ),
            (ExitCode::LedgerFailed, "the ledger or the disk failed"),
        ],
        see_also: &["runs", "pace", "run"],
    },
    CommandHelp {
        name: "pace",
        at_a_glance: &["reason", "ledger", "rehearse", "json", "config", "profile"],
        meanings: &[
            ("reason", "Why, for the record"),
            ("rehearse", "Slow a rehearsal down"),
            ("json", "Print one JSON object"),
        ],
        examples: &[
            example(
                "Slow a run down to 20 calls a second",
                "cardcancel pace 20261122-091020-6f4f 20/s",
            ),
            example(
                "Let it have the rate again that it was started with",
                "cardcancel pace 20261122-091020-6f4f restore",
            ),
        ],
        exit_codes: &[
            (ExitCode::Done, "the run keeps the rate"),
            (
                ExitCode::Failures,
                "no process has recorded within 10 seconds that it does, or the run came to rest",
            ),
            (
                ExitCode::Refused,
                "there is no such run, it is not in progress, the rate is above its own, or the command \
                 line or the configuration was refused",
            ),
            (ExitCode::LedgerFailed, "the ledger or the disk failed"),
        ],
        see_also: &["runs", "stop", "run"],
    },
    CommandHelp {
        name: "results",
        at_a_glance: &[
            "open", "only", "results", "url", "ledger", "rehearse", "json", "config", "profile",
        ],
        meanings: &[
            ("results", "The new file to write; without it, the lines are printed"),
            ("url", "With --open: the address of CoreCARD, if the ledger has runs of several"),
            ("rehearse", "Use the ledger of rehearsals"),
            ("json", "With -o, print one JSON object"),
        ],
        examples: &[
            example(
                "Write all orders that are still open, for rerun",
                "cardcancel results --open -o open.csv",
            ),
            example(
                "Write the results of a run again",
                "cardcancel results 20261122-091020-6f4f -o results.csv",
            ),
            example(
                "Print the rows of a run that failed",
                "cardcancel results 20261122-091020-6f4f --only failed",
            ),
        ],
        exit_codes: READING,
        see_also: &["runs", "resolve", "rerun", "history"],
    },
    CommandHelp {
        name: "history",
        at_a_glance: &["ledger", "rehearse", "json", "config", "profile"],
        meanings: &[
            ("rehearse", "Show the order in the ledger of rehearsals"),
            ("json", "Print one JSON object"),
        ],
        examples: &[
            example("Show all that happened to order 129409/1", "cardcancel history 129409 1"),
            example("The same for a script", "cardcancel history 129409 1 --json"),
        ],
        exit_codes: &[
            (ExitCode::Done, "done, also if no run has the order"),
            (
                ExitCode::Refused,
                "there is no such ledger, or the command line or the configuration was refused",
            ),
            (ExitCode::LedgerFailed, "the ledger or the disk failed"),
        ],
        see_also: &["runs"],
    },
    CommandHelp {
        name: "export",
        at_a_glance: &[
            "since", "until", "sign", "report", "results", "ledger", "rehearse", "json", "config",
            "profile",
        ],
        meanings: &[
            ("results", "The new folder to write; required"),
            ("rehearse", "Export from the ledger of rehearsals"),
            ("json", "Print one JSON object"),
        ],
        examples: &[
            example(
                "Export one run, and sign the export",
                "cardcancel export 20261122-091020-6f4f -o audit-1122 --sign key.pub",
            ),
            example(
                "Export the runs of a month",
                "cardcancel export --since 2026-11-01 --until 2026-12-01 -o audit-2026-11",
            ),
        ],
        exit_codes: READING,
        see_also: &["verify", "history"],
    },
    CommandHelp {
        name: "verify",
        at_a_glance: &[
            "signers", "signer", "require", "witness", "ledger", "rehearse", "json", "config",
            "profile",
        ],
        meanings: &[
            ("rehearse", "Verify the ledger of rehearsals"),
            ("json", "Print one JSON object"),
        ],
        examples: &[
            example("Verify the ledger", "cardcancel verify"),
            example(
                "Verify an export that audit@example.com signed",
                "cardcancel verify audit-1122 --signers signers --signer audit@example.com",
            ),
            example(
                "Compare its seals with a copy kept elsewhere, too",
                "cardcancel verify --witness /mnt/witness/cardcancel-seals",
            ),
        ],
        exit_codes: &[
            (ExitCode::Done, "nothing was altered, as far as it was checked"),
            (ExitCode::Failures, "something was altered, or what --require asks for does not hold"),
            (
                ExitCode::Refused,
                "it cannot be checked: there is no such ledger, export or witness, or the command line or \
                 the configuration was refused",
            ),
            (ExitCode::LedgerFailed, "the ledger or the disk failed"),
        ],
        see_also: &["export", "history", "ledger check"],
    },
    CommandHelp {
        name: "report",
        at_a_glance: &["since", "until", "results", "ledger", "rehearse", "config", "profile"],
        meanings: &[
            ("results", "The new file to write; required"),
            ("rehearse", "Report from the ledger of rehearsals"),
        ],
        examples: &[
            example(
                "Write a page about one run",
                "cardcancel report 20261122-091020-6f4f -o run-1122.html",
            ),
            example(
                "Write a page about the runs of a month",
                "cardcancel report --since 2026-11-01 --until 2026-12-01 -o 2026-11.html",
            ),
        ],
        exit_codes: READING,
        see_also: &["runs", "export", "verify"],
    },
    CommandHelp {
        name: "ledger",
        at_a_glance: &[],
        meanings: &[],
        examples: &[
            example("Show how large the ledger is", "cardcancel ledger info"),
            example("Check that nothing in it is damaged", "cardcancel ledger check"),
            example(
                "Copy it while runs continue",
                "cardcancel ledger backup /backup/ledger-2026-11-26.db",
            ),
            example(
                "Remove the rows of old runs that an export has",
                "cardcancel ledger forget --before 2026-01-01 --export audit-2025-*",
            ),
        ],
        exit_codes: READING,
        see_also: &["ledger info", "ledger check", "ledger backup", "ledger forget"],
    },
    CommandHelp {
        name: "ledger info",
        at_a_glance: &["ledger", "rehearse", "json", "config", "profile"],
        meanings: &[
            ("rehearse", "Use the ledger of rehearsals"),
            ("json", "Print one JSON object"),
        ],
        examples: &[
            example("Show the size of the ledger", "cardcancel ledger info"),
            example("Show that of a backup", "cardcancel ledger info /backup/ledger-2026-11-26.db"),
        ],
        exit_codes: READING,
        see_also: &["ledger check", "runs"],
    },
    CommandHelp {
        name: "ledger check",
        at_a_glance: &["ledger", "rehearse", "json", "config", "profile"],
        meanings: &[
            ("rehearse", "Use the ledger of rehearsals"),
            ("json", "Print one JSON object"),
        ],
        examples: &[
            example("Check the ledger", "cardcancel ledger check"),
            example("Check a backup", "cardcancel ledger check /backup/ledger-2026-11-26.db"),
        ],
        exit_codes: &[
            (ExitCode::Done, "nothing is damaged"),
            (ExitCode::Refused, "there is no such ledger, or it cannot be opened"),
            (ExitCode::LedgerFailed, "the ledger is damaged, or the disk failed"),
        ],
        see_also: &["ledger backup"],
    },
    CommandHelp {
        name: "ledger backup",
        at_a_glance: &["ledger", "rehearse", "json", "config", "profile"],
        meanings: &[
            ("rehearse", "Use the ledger of rehearsals"),
            ("json", "Print one JSON object"),
        ],
        examples: &[example(
            "Copy the ledger into a new file while runs continue",
            "cardcancel ledger backup /backup/ledger-2026-11-26.db",
        )],
        exit_codes: READING,
        see_also: &["ledger check"],
    },
    CommandHelp {
        name: "ledger forget",
        at_a_glance: &[
            "before", "export", "yes", "ledger", "rehearse", "json", "config", "profile",
        ],
        meanings: &[
            ("yes", "Forget without asking; needed off a terminal"),
            ("rehearse", "Use the ledger of rehearsals"),
            ("json", "Print one JSON object"),
        ],
        examples: &[
            example(
                "Remove the rows of the runs before a day that are in an export",
                "cardcancel ledger forget --before 2025-12-01 --export audit-2025-11",
            ),
            example(
                "Export the runs of a month first",
                "cardcancel export --since 2025-11-01 --until 2025-12-01 -o audit-2025-11",
            ),
        ],
        exit_codes: &[
            (ExitCode::Done, "done; runs that were kept are named"),
            (
                ExitCode::Refused,
                "nothing was forgotten: the command line or the configuration was refused, an export is \
                 altered or of another ledger, or nobody confirmed it",
            ),
            (ExitCode::LedgerFailed, "the ledger or the disk failed; run it again to go on"),
        ],
        see_also: &["export", "verify", "history"],
    },
    CommandHelp {
        name: "simulator",
        at_a_glance: &[
            "port",
            "seed",
            "latency",
            "capacity",
            "printed",
            "drop-before",
            "drop-after",
            "throttle",
            "record",
        ],
        meanings: &[],
        examples: &[
            example(
                "Serve a CoreCARD without faults on a port of your choice",
                "cardcancel simulator --port 8080",
            ),
            example(
                "Lose one answer in a hundred; two orders in a hundred are printed",
                "cardcancel simulator --port 8080 --drop-after 1% --printed 2%",
            ),
            example(
                "Send to it, from another terminal; external_ip is set in the configuration",
                "cardcancel run orders.csv --url http://127.0.0.1:8080 --ledger test.db",
            ),
        ],
        exit_codes: &[
            (ExitCode::Done, "stopped by a signal"),
            (
                ExitCode::Refused,
                "the command line was refused, or the port or the file of --record cannot be used",
            ),
            (ExitCode::LedgerFailed, "the disk failed, or standard output cannot be written"),
        ],
        see_also: &["run"],
    },
    CommandHelp {
        name: "config",
        at_a_glance: &[],
        meanings: &[],
        examples: &[
            example("Write a configuration file to start from", "cardcancel config init"),
            example(
                "Show the settings in force under a profile",
                "cardcancel config show --profile production",
            ),
        ],
        exit_codes: WITHOUT_LEDGER,
        see_also: &["config init", "config show"],
    },
    CommandHelp {
        name: "config init",
        at_a_glance: &[],
        meanings: &[],
        examples: &[
            example("Write ./cardcancel.toml", "cardcancel config init"),
            example(
                "Write that of the user",
                "cardcancel config init ~/.config/cardcancel/config.toml",
            ),
        ],
        exit_codes: WITHOUT_LEDGER,
        see_also: &["config show"],
    },
    CommandHelp {
        name: "config show",
        at_a_glance: &["profile", "config", "json"],
        meanings: &[("json", "Print the settings as one JSON object")],
        examples: &[
            example("Show the settings in force", "cardcancel config show"),
            example(
                "Show what a run with these flags would use",
                "cardcancel config show --profile production --rate 20/s",
            ),
        ],
        exit_codes: &[
            (ExitCode::Done, "done"),
            (ExitCode::Refused, "the command line or the configuration was refused"),
            (ExitCode::LedgerFailed, "the disk failed, or standard output cannot be written"),
        ],
        see_also: &["config init", "run"],
    },
    CommandHelp {
        name: "completions",
        at_a_glance: &[],
        meanings: &[],
        examples: &[
            example("For bash, in ~/.bashrc", "source <(cardcancel completions bash)"),
            example("For zsh, in ~/.zshrc", "source <(cardcancel completions zsh)"),
            example(
                "For fish, in ~/.config/fish/config.fish",
                "cardcancel completions fish | source",
            ),
        ],
        exit_codes: WITHOUT_LEDGER,
        see_also: &[],
    },
    CommandHelp {
        name: "man",
        at_a_glance: &["out"],
        meanings: &[],
        examples: &[
            example("Read the page of a command", "cardcancel man run | man -l -"),
            example(
                "Write all pages into a directory",
                "cardcancel man --out ~/.local/share/man/man1",
            ),
        ],
        exit_codes: WITHOUT_LEDGER,
        see_also: &[],
    },
];
