//! Flags and commands.

use std::collections::BTreeSet;

use super::{Page, all_text, flags_in, pages};

/// Every flag of every command and of the program itself, with its dashes.
fn flags() -> BTreeSet<String> {
    let mut command = cardcancel::cli::command();
    command.build();
    let commands = || command.get_subcommands();
    let of_commands = commands().chain(commands().flat_map(clap::Command::get_subcommands));
    let of_commands = of_commands.flat_map(clap::Command::get_arguments);
    let arguments = command.get_arguments().chain(of_commands);
    let flags = arguments.filter_map(|argument| argument.get_long());
    flags.map(|flag| format!("--{flag}")).collect()
}

#[test]
fn every_flag_is_in_the_pages() {
    let shown = flags_in(&all_text());
    let missing: Vec<_> = flags().into_iter().filter(|flag| !shown.contains(flag)).collect();
    assert!(missing.is_empty(), "in no page: {missing:?}");
}

#[test]
fn every_flag_in_the_pages_exists() {
    let known = flags();
    for page in pages() {
        let unknown: Vec<_> =
            flags_in(&page.text).into_iter().filter(|flag| !known.contains(flag)).collect();
        assert!(unknown.is_empty(), "{}: no such flags: {unknown:?}", page.path);
    }
}

#[test]
fn the_flags_of_run_and_of_the_simulator_are_in_tables_of_their_own() {
    let (command, page) = (cardcancel::cli::command(), Page::at("docs/configuration.md"));
    for (name, heading) in
        [("run", "## Flags"), ("rerun", "## Flags"), ("simulator", "## The simulator")]
    {
        let shown = flags_in(page.section(heading));
        for argument in command.find_subcommand(name).unwrap().get_arguments() {
            let Some(flag) = argument.get_long() else { continue };
            assert!(shown.contains(&format!("--{flag}")), "--{flag} of {name} is not in {heading}");
        }
    }
}

#[test]
fn every_command_is_in_the_pages() {
    let text = all_text();
    for command in cardcancel::cli::command().get_subcommands() {
        let name = command.get_name();
        assert!(text.contains(&format!("cardcancel {name}")), "{name}");
    }
}
