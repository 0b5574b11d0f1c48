//! `man`: the pages, as the programs that show manuals read them.
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use crate::common::{ProgramOutput, TestEnv};

/// The folder with every page, and their paths.
fn pages(env: &TestEnv) -> Vec<PathBuf> {
    let wrote = env.run(&["man", "--out", "pages"]).exits(0).stdout;
    let pages = std::fs::read_dir(env.path("pages")).unwrap();
    let mut pages: Vec<PathBuf> = pages.map(|entry| entry.unwrap().path()).collect();
    pages.sort();
    assert_eq!(wrote, format!("Wrote {} pages into pages\n", pages.len()));
    pages
}

/// What a program writes of a page, if there is such a program.
fn read_with(program: &str, args: &[&str], page: &PathBuf) -> Option<ProgramOutput> {
    match Command::new(program).args(args).arg(page).env("MANWIDTH", "80").output() {
        Ok(output) => Some(output.into()),
        Err(_) => {
            eprintln!("not run: there is no {program}");
            None
        }
    }
}

#[test]
fn man_shows_every_page_without_complaint() {
    let env = TestEnv::new();
    for page in pages(&env) {
        let Some(shown) = read_with("man", &["--warnings", "--local-file"], &page) else { return };
        let shown = shown.exits(0);
        assert_eq!(shown.stderr, "", "{}", page.display());
        for section in ["NAME", "SYNOPSIS", "EXIT STATUS", "EXAMPLES", "SEE ALSO"] {
            assert!(shown.stdout.contains(section), "{section} is not in\n{}", shown.stdout);
        }
    }
}

#[test]
fn mandoc_has_no_error_or_warning_for_any_page() {
    let env = TestEnv::new();
    for page in pages(&env) {
        let args = ["-T", "lint", "-W", "warning"];
        let Some(found) = read_with("mandoc", &args, &page) else { return };
        // The pages have no date, so that the same version writes the same pages on any day.
        let found = found.all_output();
        let found: Vec<&str> =
            found.lines().filter(|line| !line.contains("missing date")).collect();
        assert!(found.is_empty(), "{found:#?}");
    }
}

#[test]
fn there_is_a_page_for_each_command_and_one_can_be_printed() {
    let env = TestEnv::new();
    let names: Vec<String> =
        pages(&env).iter().map(|page| page.file_name().unwrap().display().to_string()).collect();
    for name in ["cardcancel.1", "cardcancel-run.1", "cardcancel-config-show.1"] {
        assert!(names.iter().any(|page| page == name), "{name} is not in {names:?}");
    }
    for (words, page) in [
        (&["man"][..], "cardcancel.1"),
        (&["man", "run"], "cardcancel-run.1"),
        (&["man", "config", "show"], "cardcancel-config-show.1"),
    ] {
        let printed = env.run(words).exits(0).stdout;
        assert_eq!(printed.trim_end(), env.text(&format!("pages/{page}")).trim_end());
    }
    let unknown = env.run(&["man", "cancel"]).exits(2).stderr;
    assert_eq!(unknown, "error: there is no command \"cancel\": `cardcancel --help` lists them\n");
}

#[test]
fn the_commands_are_listed_in_the_order_of_help() {
    let env = TestEnv::new();
    let page = env.run(&["man"]).exits(0).stdout;
    let help = env.run(&["-h"]).exits(0).stdout;
    let (_, listed) = help.split_once("Commands:\n").unwrap();
    let listed = listed.lines().take_while(|line| !line.is_empty());
    let listed: Vec<&str> = listed.filter_map(|line| line.split_whitespace().next()).collect();
    let (_, commands) = page.split_once(".SH COMMANDS\n").unwrap();
    let commands = commands.split(".SH ").next().unwrap();
    let commands: Vec<&str> = commands
        .split("cardcancel\\-")
        .skip(1)
        .filter_map(|rest| rest.split('\\').next())
        .collect();
    let listed: Vec<&str> = listed.into_iter().filter(|name| *name != "help").collect();
    assert_eq!(commands, listed);
}

#[test]
fn pages_can_be_read_by_all_and_replace_nothing_but_pages() {
    let env = TestEnv::new();
    for page in pages(&env) {
        assert_eq!(page.metadata().unwrap().permissions().mode() & 0o777, 0o644);
    }
    pages(&env);
    env.file("pages/cardcancel-run.1", "mine");
    let refused = env.run(&["man", "--out", "pages"]).exits(2).stderr;
    assert_eq!(
        refused,
        "error: pages/cardcancel-run.1 exists and is not a page of this program: move it away\n"
    );
    assert_eq!(env.text("pages/cardcancel-run.1"), "mine");
}
