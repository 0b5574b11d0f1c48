//! Help, and what is refused on the command line.

use super::parser::OPTIONS_NOT_FOR_WORKER;
use super::*;
use crate::config::{Options, SettingName};
use insta::assert_snapshot;

fn help(args: &[&str]) -> String {
    parse(args).unwrap_err().to_string()
}

fn options(args: &[&str]) -> Options {
    match parse(args).unwrap().command {
        Command::Run(run) => run.options.options().unwrap(),
        Command::Check(check) => check.options.options().unwrap(),
        other => unreachable!("{other:?}"),
    }
}

#[test]
fn the_command_line_is_sound() {
    command().debug_assert();
}

#[test]
fn every_option_is_in_the_help_of_run_with_its_variable() {
    let help = help(&["cardcancel", "run", "--help"]);
    for flag in Options::flags() {
        assert!(help.contains(&format!("--{flag}")), "{flag}");
        assert!(help.contains(&format!("[env: {}]", SettingName(&flag).variable())), "{flag}");
    }
}

#[test]
fn a_switch_needs_no_value_and_can_be_given_one() {
    let yes = |flag| options(&["cardcancel", "run", "orders.csv", flag]).yes;
    assert_eq!(yes("--yes"), Some(true));
    assert_eq!(yes("--yes=no"), Some(false));
    assert_eq!(yes("--quiet"), Some(false));
}

#[test]
fn a_switch_before_the_file_does_not_swallow_it() {
    let Command::Run(run) = parse(["cardcancel", "run", "--yes", "-"]).unwrap().command else {
        unreachable!()
    };
    assert_eq!(run.orders.to_str(), Some("-"));
}

#[test]
fn a_run_can_be_checked_with_its_own_flags() {
    let flags = ["--url=https://a.example", "--rate=5/s", "--cut-off=03:30", "--attempts=2"];
    let under = |command| options(&[&["cardcancel", command, "orders.csv"], &flags[..]].concat());
    assert_eq!(under("check"), under("run"));
}

#[test]
fn a_bad_value_is_refused_in_plain_words() {
    let help = |flag| help(&["cardcancel", "run", "orders.csv", flag]);
    assert_snapshot!(help("--rate=50"), @r#"
    error: invalid value '50' for '--rate <RATE>': the rate 50 has no unit: write 50/s, 50/m or 50/h

    For more information, try '--help'.
    "#);
    assert_snapshot!(help("--concurrency=0"), @r#"
    error: invalid value '0' for '--concurrency <CALLS>': "0" is not a whole number from 1 to 10000

    For more information, try '--help'.
    "#);
    assert_snapshot!(help("--yes=maybe"), @r#"
    error: invalid value 'maybe' for '--yes[=<yes|no>]': write yes or no (or true or false, or 1 or 0)

    For more information, try '--help'.
    "#);
    assert_snapshot!(help("--cutoff=03:30"), @r#"
    error: unexpected argument '--cutoff' found

      tip: a similar argument exists: '--cut-off'

    Usage: cardcancel run --cut-off <TIME> <ORDERS>

    For more information, try '--help'.
    "#);
}

#[test]
fn where_there_is_a_choice_every_way_to_complete_the_command_is_named() {
    assert_snapshot!(help(&["cardcancel", "resolve", "--ticket=1"]), @r"
    error: the following required arguments were not provided:
      <RESULTS|--open>
      <--cancelled <FILE>|--standing <FILE>>

      tip: give RESULTS, a results file, or --open for the open rows of all runs at the address
      tip: give a list of cancelled orders with --cancelled, one of orders that still stand with --standing, or both

    Usage: cardcancel resolve [OPTIONS] <RESULTS|--open>
             <--cancelled <FILE>|--standing <FILE>>

    For more information, try '--help'.
    ");
    assert_snapshot!(help(&["cardcancel", "export", "--until=2026-12-01"]), @r"
    error: the following required arguments were not provided:
      <RUN|--since <DATE>>

      tip: give RUN, the id of a run, or --since for the runs created on or after a day

    Usage: cardcancel export --until <DATE> <RUN|--since <DATE>>

    For more information, try '--help'.
    ");
    for command in command().get_subcommands() {
        let required: Vec<_> =
            command.get_groups().filter(|group| group.is_required_set()).collect();
        if !required.is_empty() {
            let refused = help(&["cardcancel", command.get_name()]);
            assert_eq!(refused.matches("tip: give ").count(), required.len(), "{refused}");
        }
    }
}

#[test]
fn the_end_of_a_stretch_of_days_needs_its_beginning() {
    for command in ["export", "report"] {
        let refused = help(&["cardcancel", command, "20261122-091020-6f4f", "--until=2026-12-01"]);
        assert!(refused.contains("cannot be used with"), "{refused}");
    }
}

#[test]
fn a_value_that_is_no_number_or_date_is_refused_in_plain_words() {
    let refused = |args: &str| {
        let refused = help(&format!("cardcancel {args}").split(' ').collect::<Vec<_>>());
        refused.lines().next().unwrap_or_default().to_owned()
    };
    assert_snapshot!(refused("history abc 1"), @r#"error: invalid value 'abc' for '<ADMIN>': the admin number "abc" is not a number; it must be a whole number from 0 to 9223372036854775807"#);
    assert_snapshot!(refused("history 1 2147483648"), @r#"error: invalid value '2147483648' for '<SEQUENCE>': the sequence number "2147483648" is too large; it must be a whole number from 0 to 2147483647"#);
    assert_snapshot!(refused("history -1 1"), @r#"error: invalid value '-1' for '<ADMIN>': the admin number "-1" has a sign; it must be a whole number from 0 to 9223372036854775807"#);
    assert_snapshot!(refused("history 4111-1111-1111-1111 1"), @r#"error: invalid value '[card number removed]' for '<ADMIN>': the admin number, with 16 digits, is not a number; it must be a whole number from 0 to 9223372036854775807"#);
    assert_snapshot!(refused("runs --limit -1"), @r#"error: invalid value '-1' for '--limit <NUMBER>': "-1" is not a whole number from 0 to 18446744073709551615"#);
    assert_snapshot!(refused("runs --since yesterday"), @r#"error: invalid value 'yesterday' for '--since <DATE>': "yesterday" is not a date: write year-month-day, such as 2026-11-01"#);
    assert_snapshot!(refused("run orders.csv --concurrency -1"), @r#"error: invalid value '-1' for '--concurrency <CALLS>': "-1" is not a whole number from 1 to 10000"#);
    assert_snapshot!(refused("simulator --port 65536"), @r#"error: invalid value '65536' for '--port <NUMBER>': "65536" is not a whole number from 0 to 65535"#);
}

#[test]
fn no_flag_is_refused_in_the_words_of_a_parser() {
    let options = Options::flags();
    let mut cli = command();
    for command in command().get_subcommands() {
        let name = command.get_name();
        // All commands read the settings alike.
        let is_new = |flag: &&str| name == "run" || !options.iter().any(|of| of == flag);
        let flags = command.get_arguments().filter_map(|arg| arg.get_long()).filter(is_new);
        for flag in flags {
            let args = ["cardcancel", name, &format!("--{flag}=?")];
            let Err(refused) = cli.try_get_matches_from_mut(args) else { continue };
            let refused = refused.to_string();
            for words in
                ["invalid digit", "cannot parse", "failed to parse", "but found", "is not in"]
            {
                assert!(!refused.contains(words), "{flag}: {refused}");
            }
        }
    }
}

#[test]
fn a_rerun_can_be_of_some_statuses_and_codes_only() {
    let args = ["cardcancel", "rerun", "results.csv", "--only", "failed,HTTP_503"];
    let Command::Rerun(rerun) = parse(args).unwrap().command else { unreachable!() };
    assert_eq!(rerun.only.unwrap(), ["failed", "HTTP_503"]);
}

#[test]
fn who_works_on_a_run_cannot_change_it() {
    for flag in OPTIONS_NOT_FOR_WORKER {
        let args = ["cardcancel".to_owned(), "worker".to_owned(), format!("--{flag}=1s")];
        let error = parse(args).unwrap_err().to_string();
        let refused = error.contains("it joins runs as they were created");
        assert!(refused || error.contains("invalid value"), "{error}");
    }
    assert_snapshot!(help(&["cardcancel", "worker", "--rate=5/s"]), @r"
    error: `worker` does not accept --rate: it joins runs as they were created

    Usage: cardcancel worker [OPTIONS]

    For more information, try '--help'.
    ");
    let shown = help(&["cardcancel", "worker", "-h"]);
    assert!(shown.contains("--concurrency") && !shown.contains("--cut-off"));
}

#[test]
fn an_option_that_a_command_does_not_use_is_refused() {
    let refused: [(&[&str], &str); 6] = [
        (&["pace", "1", "25/s", "--ticket", "OPS-7"], "--ticket"),
        (&["stop", "1", "--rate", "5/s"], "--rate"),
        (&["history", "500000", "1", "--cut-off", "03:00"], "--cut-off"),
        (&["runs", "-o", "runs.csv"], "--results"),
        (&["ledger", "forget", "--before", "2026-01-01", "--export", "a", "--quiet"], "--quiet"),
        (&["verify", "--yes"], "--yes"),
    ];
    for (args, flag) in refused {
        let error = help(&[&["cardcancel"], args].concat());
        assert!(error.contains(&format!("unexpected argument '{flag}' found")), "{error}");
        assert!(error.contains("\n\nUsage: cardcancel "), "{error}");
    }
    for args in [&["check", "orders.csv", "--ticket=1"][..], &["config", "show", "--ticket=1"]] {
        assert!(parse([&["cardcancel"], args].concat()).is_ok(), "{args:?}");
    }
}

#[test]
fn the_help_of_check_shows_what_matters_to_it() {
    let help = help(&["cardcancel", "check", "-h"]);
    assert!(help.contains("--rate <RATE>") && help.contains("--cut-off"));
    assert!(help.contains("--ledger") && !help.contains("--external-ip"));
    assert!(help.starts_with("Report what is wrong with a file of orders"));
}
