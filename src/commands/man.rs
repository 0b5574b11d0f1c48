//! `man`: one manual page for each command, printed or written into a directory.

use std::fs::{self, Permissions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::{Context, bail};
use clap::Command;
use clap_mangen::Man;
use clap_mangen::roff::{Inline, Roff, bold, italic, roman};
use tempfile::NamedTempFile;

use crate::cli;
use crate::cli::help::{CommandHelp, Example};
use crate::exit_code::ExitCode;
use crate::output::console;

/// Which commands something of the manual is about.
#[derive(Clone, Copy, PartialEq, Eq)]
enum About {
    /// Those that read the configuration.
    Configuration,
    /// Those that read secrets for CoreCARD, or show whether they are set.
    Secrets,
    /// Those that write results.
    Results,
}

/// The files that matter, and what is in them.
const FILES: [(About, &str, &str); 6] = [
    (
        About::Results,
        "ORDERS.results.csv",
        "The results, in the current directory unless --results names another file. A rehearsal \
         writes ORDERS.rehearsal.results.csv.",
    ),
    (
        About::Configuration,
        "$XDG_STATE_HOME/cardcancel/ledger.db",
        "The ledger, which records every attempt before it is made; in ~/.local/state if \
         XDG_STATE_HOME is not set. Keep it and back it up. It is refused if others can write it.",
    ),
    (About::Configuration, "$XDG_STATE_HOME/cardcancel/rehearsal.db", "The ledger of rehearsals."),
    (
        About::Configuration,
        "cardcancel.toml",
        "The configuration, in the current directory. `cardcancel config init` writes one to start \
         from. It is refused if others can write it.",
    ),
    (
        About::Configuration,
        "$XDG_CONFIG_HOME/cardcancel/config.toml",
        "The configuration if the current directory has none; in ~/.config if XDG_CONFIG_HOME is \
         not set.",
    ),
    (
        About::Configuration,
        "/etc/cardcancel/cardcancel.toml",
        "The configuration if the user has none.",
    ),
];

/// The variables that matter beside those of the options.
const ENVIRONMENT: [(About, &str, &str); 10] = [
    (
        About::Configuration,
        "CARDCANCEL_*",
        "Every option of `cardcancel run` has a variable, which is named with the option.",
    ),
    (
        About::Secrets,
        "CARDCANCEL_BEARER_TOKEN",
        "The token, if [auth] in the configuration has kind = \"bearer\".",
    ),
    (About::Secrets, "CARDCANCEL_BASIC_PASSWORD", "The password, if kind = \"basic\"."),
    (
        About::Secrets,
        "CARDCANCEL_HEADER_*",
        "The values of the headers that [auth] names, if kind = \"headers\": the value of X-Api-Key \
         is in CARDCANCEL_HEADER_X_API_KEY.",
    ),
    (
        About::Secrets,
        "CARDCANCEL_OAUTH2_CLIENT_SECRET",
        "The secret that belongs to client_id, if kind = \"oauth2\".",
    ),
    (
        About::Secrets,
        "CARDCANCEL_PROXY_USERNAME, CARDCANCEL_PROXY_PASSWORD",
        "The credentials for the proxy, if it asks for any.",
    ),
    (About::Configuration, "CARDCANCEL_LEDGER_PASSWORD", "The password of a ledger in a database."),
    (
        About::Configuration,
        "*_FILE",
        "The variable of a secret with _FILE appended names a file that holds the secret.",
    ),
    (
        About::Configuration,
        "CREDENTIALS_DIRECTORY",
        "Set by systemd. If neither of the two variables is set, a secret is read from the file in \
         this directory that is named like its first variable.",
    ),
    (
        About::Configuration,
        "TZ",
        "The time zone of a cut-off or a start window that names none, and of displayed times.",
    ),
];

/// Prints the page of one command, or writes the pages of all.
///
/// # Errors
/// If there is no such command, or the directory cannot be written.
pub fn man(wanted: &cli::ManArgs) -> anyhow::Result<ExitCode> {
    let pages = pages()?;
    match &wanted.out {
        Some(directory) => write_all(&pages, directory)?,
        None => {
            let name = file_name(&wanted.words.join(" "));
            let page = pages.iter().find(|page| page.file_name == name);
            let page = page.with_context(|| {
                let words = wanted.words.join(" ");
                format!("there is no command \"{words}\": `cardcancel --help` lists them")
            })?;
            console::print_line(page.text.trim_end());
        }
    }
    Ok(ExitCode::Done)
}

/// Writes each page into its own file. A page of this program is replaced, nothing else is.
fn write_all(pages: &[Page], directory: &Path) -> anyhow::Result<()> {
    let unwritable = || {
        format!("the manual cannot be written into {}: name another directory", directory.display())
    };
    fs::create_dir_all(directory).with_context(unwritable)?;
    for page in pages {
        let path = directory.join(&page.file_name);
        match fs::read_to_string(&path) {
            Err(absent) if absent.kind() == ErrorKind::NotFound => {}
            Ok(text) if text.contains(&format!("{TITLE_LINE}cardcancel")) => {}
            there => {
                there.with_context(unwritable)?;
                bail!("{} exists and is not a page of this program: move it away", path.display());
            }
        }
        let mut file = NamedTempFile::new_in(directory).with_context(unwritable)?;
        file.write_all(page.text.as_bytes()).with_context(unwritable)?;
        // Every user reads manuals.
        file.as_file().set_permissions(Permissions::from_mode(0o644)).with_context(unwritable)?;
        file.persist(&path).with_context(unwritable)?;
    }
    console::print_line(format_args!("Wrote {} pages into {}", pages.len(), directory.display()));
    Ok(())
}

/// A manual page.
struct Page {
    file_name: String,
    text: String,
}

/// What the roff crate writes before anything else: how an apostrophe is shown.
const APOSTROPHE: &str = ".ie \\n(.g .ds Aq \\(aq\n.el .ds Aq '\n";

/// How the line with a page's title begins.
const TITLE_LINE: &str = ".TH ";

/// Every page: that of the program first.
fn pages() -> anyhow::Result<Vec<Page>> {
    let mut command = cli::command().disable_help_subcommand(true);
    command.build();
    let mut pages = Vec::new();
    add_pages(&command, "", &mut pages)?;
    Ok(pages)
}

fn add_pages(command: &Command, name: &str, pages: &mut Vec<Page>) -> anyhow::Result<()> {
    pages.push(Page { file_name: file_name(name), text: text(command, name)? });
    for below in command.get_subcommands() {
        add_pages(below, format!("{name} {}", below.get_name()).trim_start(), pages)?;
    }
    Ok(())
}

/// The name of a command's page, such as `cardcancel-config-show`.
fn page_name(name: &str) -> String {
    let words = std::iter::once("cardcancel").chain(name.split_whitespace());
    words.collect::<Vec<_>>().join("-")
}

fn file_name(name: &str) -> String {
    format!("{}.1", page_name(name))
}

fn text(command: &Command, name: &str) -> anyhow::Result<String> {
    let help = CommandHelp::find(name).with_context(|| format!("no help for {name}"))?;
    // --help is complete too, and goes without saying.
    let shown = command.clone().mut_args(|arg| match arg.get_id().as_str() {
        "help" | "version" => arg.hide(true),
        // The page has what -h leaves out.
        _ => arg.hide_short_help(false),
    });
    let man = Man::new(shown.clone());
    // The date is left out: the same version writes the same pages on any day.
    let mut page = format!(
        "{TITLE_LINE}{} 1 \"\" \"cardcancel {}\" \"User Commands\"\n",
        page_name(name),
        env!("CARGO_PKG_VERSION")
    )
    .into_bytes();
    man.render_name_section(&mut page)?;
    synopsis(command).to_writer(&mut page)?;
    man.render_description_section(&mut page)?;
    if command.has_subcommands() {
        commands(command, name).to_writer(&mut page)?;
    }
    if shown.get_arguments().any(|arg| !arg.is_hide_set()) {
        let mut options = Vec::new();
        man.render_options_section(&mut options)?;
        page.extend(as_one_section(&String::from_utf8(options)?).into_bytes());
    }
    let codes = help.exit_codes.iter().map(|(code, meaning)| ((*code as u8).to_string(), *meaning));
    list("EXIT STATUS", codes).to_writer(&mut page)?;
    let about = about(command);
    for (heading, items) in [("FILES", &FILES[..]), ("ENVIRONMENT", &ENVIRONMENT)] {
        let items = items.iter().filter(|(of, ..)| about.contains(of));
        let mut items = items.map(|(_, term, meaning)| (*term, *meaning)).peekable();
        if items.peek().is_some() {
            list(heading, items).to_writer(&mut page)?;
        }
    }
    examples(help.examples).to_writer(&mut page)?;
    see_also(command, name, help).to_writer(&mut page)?;
    // Each section begins with it; once is enough.
    let sections = String::from_utf8(page)?.replace(APOSTROPHE, "");
    Ok(format!("{APOSTROPHE}{sections}"))
}

/// What of the files and the variables a command has to do with.
fn about(command: &Command) -> Vec<About> {
    let takes = |flag| {
        let mut arguments = command.get_arguments();
        arguments.any(|arg| arg.get_long() == Some(flag) && !arg.is_hide_set())
    };
    let is_program = command.get_name() == "cardcancel";
    let mut about = Vec::new();
    if is_program || takes("config") {
        about.push(About::Configuration);
    }
    if is_program || takes("client-key-file") {
        about.push(About::Secrets);
    }
    if is_program || takes("results") {
        about.push(About::Results);
    }
    about
}

fn synopsis(command: &Command) -> Roff {
    let mut roff = heading("SYNOPSIS");
    let name = command.get_bin_name().unwrap_or_else(|| command.get_name());
    let mut line = vec![bold(name)];
    if command.has_subcommands() {
        line.extend([roman(" "), italic("COMMAND")]);
    } else {
        line.extend([roman(" ["), italic("OPTIONS"), roman("]")]);
    }
    for argument in command.get_positionals() {
        let (open, close) = if argument.is_required_set() { ("", "") } else { ("[", "]") };
        let value = argument.get_value_names().map(|names| names.join(" "));
        line.extend([roman(format!(" {open}")), italic(value.unwrap_or_default()), roman(close)]);
    }
    roff.text(line);
    roff
}

/// The commands below one, each with its page, in the order of --help.
fn commands(command: &Command, name: &str) -> Roff {
    let mut roff = heading("COMMANDS");
    let mut all: Vec<&Command> = command.get_subcommands().collect();
    all.sort_by_key(|below| below.get_display_order());
    for below in all {
        roff.control("TP", []);
        roff.text(page_link(format!("{name} {}", below.get_name()).trim_start()));
        roff.text([roman(below.get_about().map(ToString::to_string).unwrap_or_default())]);
    }
    roff
}

/// The options under one heading, those with headings of their own as parts of it; an empty line
/// between two paragraphs becomes what manuals have for it.
fn as_one_section(text: &str) -> String {
    let line = |line: &str| match line.strip_prefix(".SH ") {
        Some("OPTIONS") | None if !line.is_empty() => format!("{line}\n"),
        Some(heading) => format!(".SS {heading}\n"),
        None => ".IP\n".to_owned(),
    };
    text.lines().map(line).collect()
}

fn examples(examples: &[Example]) -> Roff {
    let mut roff = heading("EXAMPLES");
    for (place, Example { purpose, line }) in examples.iter().enumerate() {
        if place > 0 {
            roff.control("PP", []);
        }
        roff.text([roman(format!("{purpose}:"))]);
        roff.control("RS", ["4"]);
        roff.control("nf", []);
        roff.text([bold(*line)]);
        roff.control("fi", []);
        roff.control("RE", []);
    }
    roff
}

/// The pages that have more: of the commands below, beside or above this one.
fn see_also(command: &Command, name: &str, help: &CommandHelp) -> Roff {
    let below = command.get_subcommands();
    let below = below.map(|of| format!("{name} {}", of.get_name()).trim_start().to_owned());
    let above = (!name.is_empty()).then(String::new);
    let mut names: Vec<String> = above.into_iter().chain(below).collect();
    names.extend(help.see_also.iter().map(|name| (*name).to_owned()));
    names.sort();
    names.dedup();
    let mut line = Vec::new();
    for name in &names {
        if !line.is_empty() {
            line.push(roman(", "));
        }
        line.extend(page_link(name));
    }
    let mut roff = heading("SEE ALSO");
    roff.text(line);
    roff
}

fn page_link(name: &str) -> [Inline; 2] {
    [bold(page_name(name)), roman("(1)")]
}

fn heading(text: &str) -> Roff {
    let mut roff = Roff::default();
    roff.control("SH", [text]);
    roff
}

fn list<T: AsRef<str>>(title: &str, items: impl IntoIterator<Item = (T, &'static str)>) -> Roff {
    let mut roff = heading(title);
    for (term, meaning) in items {
        roff.control("TP", []);
        roff.text([bold(term.as_ref())]);
        roff.text([roman(meaning)]);
    }
    roff
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_a_page_with_its_options_and_examples() {
        let pages = pages().unwrap();
        assert_eq!(pages.len(), crate::cli::help::COMMANDS.len());
        for help in crate::cli::help::COMMANDS {
            let page = pages.iter().find(|page| page.file_name == file_name(help.name)).unwrap();
            let text = page.text.replace("\\-", "-");
            for section in
                ["NAME", "SYNOPSIS", "DESCRIPTION", "EXIT STATUS", "EXAMPLES", "SEE ALSO"]
            {
                let quoted = format!(".SH \"{section}\"\n");
                let is_there = text.contains(&format!(".SH {section}\n")) || text.contains(&quoted);
                assert!(is_there, "{section} of {}", page.file_name);
            }
            let command = help
                .name
                .split_whitespace()
                .fold(cli::command(), |of, name| of.find_subcommand(name).unwrap().clone());
            let flags = command.get_arguments().filter(|arg| !arg.is_hide_set());
            for flag in flags.filter_map(|arg| arg.get_long()) {
                assert!(text.contains(&format!("--{flag}")), "--{flag} of {}", page.file_name);
            }
        }
    }

    #[test]
    fn only_commands_that_read_the_configuration_name_its_files_and_variables() {
        let pages = pages().unwrap();
        let page = |name: &str| &pages.iter().find(|page| page.file_name == name).unwrap().text;
        assert!(page("cardcancel-run.1").contains("BEARER_TOKEN"));
        assert!(page("cardcancel-run.1").contains("ORDERS.results.csv"));
        assert!(page("cardcancel-runs.1").contains("ledger.db"));
        assert!(!page("cardcancel-runs.1").contains("BEARER_TOKEN"));
        assert!(!page("cardcancel-simulator.1").contains("ENVIRONMENT"));
    }
}
