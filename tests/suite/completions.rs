//! What a shell completes, asked through the script that it loads.
use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::common::{ProgramOutput, TestEnv, TestSimulator};

/// Runs a script of a shell here, with the program in its path; nothing if there is no such shell.
fn shell(env: &TestEnv, shell: &str, script: &str) -> Option<ProgramOutput> {
    let program = Path::new(env!("CARGO_BIN_EXE_cardcancel")).parent().unwrap();
    let path = std::env::var("PATH").unwrap_or_default();
    let mut command = Command::new(shell);
    let environment = env.command(&[]);
    for (name, value) in environment.get_envs() {
        command.env(name, value.unwrap_or_default());
    }
    command.env("PATH", format!("{}:{path}", program.display())).current_dir(env.folder());
    match command.args(["-c", script]).output() {
        Ok(output) => Some(output.into()),
        Err(_) => {
            eprintln!("not run: there is no {shell}");
            None
        }
    }
}

/// What bash offers for a line, whose last word is being typed; its flags are left out where the
/// word is not one.
fn offered(env: &TestEnv, line: &str) -> Vec<String> {
    let words: Vec<&str> = line.split(' ').collect();
    let (last, before) = words.split_last().unwrap();
    let previous = before.last().unwrap();
    let quoted: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
    let script = format!(
        "source <(cardcancel completions bash)\n\
         COMP_WORDS=({}); COMP_CWORD={}; COMP_TYPE=9\n\
         _clap_complete_cardcancel cardcancel '{last}' '{previous}'\n\
         printf '%s\\n' \"${{COMPREPLY[@]}}\"",
        quoted.join(" "),
        before.len()
    );
    let Some(outcome) = shell(env, "bash", &script) else { return Vec::new() };
    let outcome = outcome.exits(0);
    assert_eq!(outcome.stderr, "");
    let offered = outcome.stdout.lines().filter(|line| !line.is_empty());
    let is_wanted = |word: &&str| last.starts_with('-') || !word.starts_with('-');
    offered.filter(is_wanted).map(str::to_owned).collect()
}

/// Every file here, with what is in it.
fn files(env: &TestEnv) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut folders = vec![env.folder().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path.clone());
                files.insert(path, Vec::new());
            } else {
                let bytes = std::fs::read(&path).unwrap();
                files.insert(path, bytes);
            }
        }
    }
    files
}

const CONFIGURATION: &str =
    "[profile.sandbox]\nrate = '5/s'\n[profile.production]\nrate = '50/s'\n";

#[test]
fn commands_and_flags_are_offered() {
    let env = TestEnv::new();
    assert_eq!(offered(&env, "cardcancel re"), ["rerun", "resolve", "results", "report"]);
    assert_eq!(offered(&env, "cardcancel ledger b"), ["backup"]);
    assert_eq!(offered(&env, "cardcancel run --cut"), ["--cut-off"]);
    let flags = offered(&env, "cardcancel runs --");
    assert!(flags.contains(&"--ledger".to_owned()) && !flags.contains(&"--rate".to_owned()));
}

#[test]
fn values_that_are_fixed_words_are_offered() {
    let env = TestEnv::new();
    assert_eq!(offered(&env, "cardcancel run --on-doubt "), ["retry", "leave"]);
    assert_eq!(offered(&env, "cardcancel run --log-level w"), ["warn"]);
    assert_eq!(offered(&env, "cardcancel run --max-rows o"), ["off"]);
    assert_eq!(offered(&env, "cardcancel run --yes=n"), ["--yes=no"]);
    assert_eq!(offered(&env, "cardcancel completions z"), ["zsh"]);
    assert_eq!(offered(&env, "cardcancel rerun r.csv --only in_"), ["in_doubt"]);
    assert_eq!(offered(&env, "cardcancel rerun r.csv --only failed,not_"), ["failed,not_sent"]);
    assert_eq!(offered(&env, "cardcancel man che"), ["check"]);
}

#[test]
fn profiles_are_those_of_the_configuration() {
    let env = TestEnv::new();
    assert_eq!(offered(&env, "cardcancel run --profile "), [""; 0]);
    env.file("cardcancel.toml", CONFIGURATION);
    env.file("other.toml", "[profile.test]\nrate = '5/s'\n");
    let both = ["production", "sandbox"];
    assert_eq!(offered(&env, "cardcancel run --profile "), both);
    assert_eq!(offered(&env, "cardcancel run orders.csv --profile "), both);
    assert_eq!(offered(&env, "cardcancel runs --profile s"), ["sandbox"]);
    assert_eq!(offered(&env, "cardcancel run --config other.toml --profile "), ["test"]);
    env.file("cardcancel.toml", "not a configuration");
    assert_eq!(offered(&env, "cardcancel run --profile "), [""; 0]);
}

#[test]
fn runs_are_those_of_the_ledger_the_newest_first() {
    let env = TestEnv::new();
    let server = TestSimulator::perfect();
    assert_eq!(offered(&env, "cardcancel runs "), [""; 0]);
    env.orders(2).cancel(&server.url(), &[]).exits(0);
    env.orders(3).cancel(&server.url(), &["-o", "second.csv"]).exits(0);
    let listed = env.run(&["runs"]).exits(0).stdout;
    let listed: Vec<&str> =
        listed.lines().skip(1).map(|line| line.split(' ').next().unwrap()).collect();
    assert_eq!(listed.len(), 2);
    assert_eq!(offered(&env, "cardcancel runs "), listed);
    assert_eq!(offered(&env, &format!("cardcancel runs {}", listed[0])), listed[..1]);
    let elsewhere = "cardcancel runs --ledger other.db ";
    assert_eq!(offered(&env, elsewhere), [""; 0]);
    let here = format!("cardcancel runs --ledger {} ", env.ledger().display());
    assert_eq!(offered(&env, &here), listed);
}

#[test]
fn files_are_those_with_the_ending_that_fits() {
    let env = TestEnv::new();
    for name in ["orders.csv", "notes.md", "my.toml", "run.prom", "ledger.db"] {
        env.file(name, "");
    }
    assert_eq!(offered(&env, "cardcancel run o"), ["orders.csv"]);
    assert_eq!(offered(&env, "cardcancel run n"), [""; 0]);
    assert_eq!(offered(&env, "cardcancel run --config m"), ["my.toml"]);
    assert_eq!(offered(&env, "cardcancel run --metrics-file r"), ["run.prom"]);
    assert_eq!(offered(&env, "cardcancel ledger check l"), ["ledger.db"]);
}

#[test]
fn nothing_is_written_and_no_ledger_is_made() {
    let env = TestEnv::new();
    env.file("cardcancel.toml", CONFIGURATION);
    let all = ["cardcancel runs ", "cardcancel run --profile ", "cardcancel run ", "cardcancel "];
    let before = files(&env);
    for line in all {
        offered(&env, line);
    }
    assert_eq!(files(&env).keys().collect::<Vec<_>>(), before.keys().collect::<Vec<_>>());
    env.orders(2).cancel(&TestSimulator::perfect().url(), &[]).exits(0);
    let before = files(&env);
    for line in all {
        offered(&env, line);
    }
    assert!(files(&env) == before, "a file changed");
}

#[test]
fn a_database_is_not_asked() {
    let env = TestEnv::new();
    let database = TcpListener::bind("127.0.0.1:0").unwrap();
    database.set_nonblocking(true).unwrap();
    let port = database.local_addr().unwrap().port();
    let began = Instant::now();
    let line = format!("cardcancel runs --ledger postgres://me@127.0.0.1:{port}/night ");
    assert_eq!(offered(&env, &line), [""; 0]);
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    assert!(database.accept().is_err(), "it was asked");
}

#[test]
fn a_variable_left_in_the_environment_keeps_nothing_from_being_done() {
    let env = TestEnv::new();
    let mut check = env.orders(2).command(&["check", "orders.csv"]);
    let outcome = ProgramOutput::from(check.env("_CARDCANCEL_COMPLETE", "bash").output().unwrap());
    assert!(outcome.exits(0).stdout.contains("2 to send"));
}

#[test]
fn fish_offers_the_same() {
    let env = TestEnv::new();
    env.file("cardcancel.toml", CONFIGURATION);
    let script = "cardcancel completions fish | source; complete -C 'cardcancel run --profile '";
    let Some(outcome) = shell(&env, "fish", script) else { return };
    assert_eq!(outcome.exits(0).stdout, "production\nsandbox\n");
}

#[test]
fn zsh_offers_the_same_from_a_file_that_it_loads_by_itself() {
    let env = TestEnv::new();
    env.file("cardcancel.toml", CONFIGURATION);
    std::fs::create_dir(env.path("functions")).unwrap();
    env.file("functions/_cardcancel", env.run(&["completions", "zsh"]).exits(0).stdout);
    // A terminal of zsh's own, in which the line is typed and completed.
    let script = "zmodload zsh/zpty\n\
        zpty shell zsh -f -i\n\
        zpty -w shell 'PS1= ; fpath=(functions $fpath); autoload -Uz compinit; compinit -u -D'\n\
        zpty -w shell 'print rea''dy'\n\
        zpty -r -m shell out '*ready*'\n\
        zpty -w -n shell $'cardcancel run --profile s\\t'\n\
        zpty -r -m shell out '*sandbox*' && print found";
    let Some(outcome) = shell(&env, "zsh", script) else { return };
    assert!(outcome.stdout.contains("found"), "{}", outcome.report());
}

#[test]
fn there_is_a_script_for_each_shell_and_no_other() {
    let env = TestEnv::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = env.run(&["completions", shell]).exits(0).stdout;
        assert!(script.contains("_CARDCANCEL_COMPLETE"), "{shell}: {script}");
    }
    env.run(&["completions", "sh"]).exits(2);
}
