//! `man`: the whole manual as one page, since most of its options are those of
//! several commands.

use clap::{Arg, Command};
use clap_mangen::Man;
use clap_mangen::roff::{Inline, Roff, bold, italic, roman};

use crate::cli;
use crate::config::Options;
use crate::exit_code::ExitCode;
use crate::output::console;

/// The files that matter, and what is in them.
const FILES: [(&str, &str); 6] = [
    (
        "ORDERS.results.csv",
        "The results, in the current directory unless --results names another file. \
         ORDERS.rehearsal.results.csv after a rehearsal.",
    ),
    (
        "$XDG_STATE_HOME/cardcancel/ledger.db",
        "The ledger, which records every attempt before it is made; in ~/.local/state if \
         XDG_STATE_HOME is not set. Keep it and back it up. It is refused if others may write it.",
    ),
    ("$XDG_STATE_HOME/cardcancel/rehearsal.db", "The ledger of rehearsals."),
    (
        "cardcancel.toml",
        "The configuration, in the current directory. `cardcancel config init` writes one to start \
         from. It is refused if others may write it.",
    ),
    (
        "$XDG_CONFIG_HOME/cardcancel/config.toml",
        "The configuration where the current directory has none; in ~/.config if XDG_CONFIG_HOME is \
         not set.",
    ),
    ("/etc/cardcancel/cardcancel.toml", "The configuration where the user has none."),
];

/// The variables that matter beside those of the options.
const ENVIRONMENT: [(&str, &str); 10] = [
    ("CARDCANCEL_*", "Every option of run has a variable, named where the option is described."),
    ("CARDCANCEL_BEARER_TOKEN", "The token, where [auth] has kind = \"bearer\"."),
    ("CARDCANCEL_BASIC_PASSWORD", "The password, where [auth] has kind = \"basic\"."),
    (
        "CARDCANCEL_HEADER_*",
        "The values of the headers that [auth] names, where it has kind = \"headers\": that of \
         X-Api-Key is in CARDCANCEL_HEADER_X_API_KEY.",
    ),
    (
        "CARDCANCEL_OAUTH2_CLIENT_SECRET",
        "The secret that goes with client_id, where [auth] has kind = \"oauth2\".",
    ),
    (
        "CARDCANCEL_PROXY_USERNAME, CARDCANCEL_PROXY_PASSWORD",
        "Who asks the proxy, if it wants to know.",
    ),
    ("CARDCANCEL_LEDGER_PASSWORD", "The password of a ledger that is a database."),
    (
        "*_FILE",
        "Each variable of a secret, with this at its end, names a file that holds the secret in its \
         place.",
    ),
    (
        "CREDENTIALS_DIRECTORY",
        "Where systemd puts credentials: a file there that is named like the variable of a secret \
         holds it, if neither the variable nor its twin is set.",
    ),
    (
        "TZ",
        "The time zone of a cut-off or a start window that names none, and of the times that are shown.",
    ),
];

/// Prints the manual page.
///
/// # Errors
/// None that is known: it is written to memory first.
pub fn man() -> anyhow::Result<ExitCode> {
    console::print_line(page()?.trim_end());
    Ok(ExitCode::Done)
}

fn page() -> anyhow::Result<String> {
    let mut command = cli::command().disable_help_subcommand(true);
    command.build();
    let man = Man::new(command.clone()).manual("User Commands");
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    synopsis(&command).to_writer(&mut page)?;
    man.render_description_section(&mut page)?;
    heading("COMMANDS").to_writer(&mut page)?;
    for leaf in leaves(&command) {
        of_command(leaf, &mut page)?;
    }
    list("EXIT STATUS", ExitCode::LIST.map(|(exit, meaning)| ((exit as u8).to_string(), meaning)))
        .to_writer(&mut page)?;
    list("FILES", FILES).to_writer(&mut page)?;
    list("ENVIRONMENT", ENVIRONMENT).to_writer(&mut page)?;
    Ok(String::from_utf8(page)?)
}

/// The commands that do something, those of `config` included.
fn leaves(command: &Command) -> Vec<&Command> {
    let mut below: Vec<_> = command.get_subcommands().collect();
    below.sort_by_key(|command| command.get_display_order());
    below
        .into_iter()
        .flat_map(|command| match command.has_subcommands() {
            true => leaves(command),
            false => vec![command],
        })
        .collect()
}

fn synopsis(command: &Command) -> Roff {
    let mut roff = heading("SYNOPSIS");
    for leaf in leaves(command) {
        let mut line = vec![bold(name(leaf)), roman(" ["), italic("OPTIONS"), roman("]")];
        for argument in leaf.get_positionals() {
            let (open, close) = if argument.is_required_set() { ("", "") } else { ("[", "]") };
            let value = argument.get_value_names().map(|names| names.join(" "));
            line.extend([
                roman(format!(" {open}")),
                italic(value.unwrap_or_default()),
                roman(close),
            ]);
        }
        roff.text(line);
        roff.control("br", []);
    }
    roff
}

/// A command, what it does and its options; those of `run` stand with `run` alone.
fn of_command(command: &Command, page: &mut Vec<u8>) -> anyhow::Result<()> {
    let is_run = command.get_name() == "run";
    let shared = Options::flags();
    let is_shared = |arg: &Arg| arg.get_long().is_some_and(|flag| shared.iter().any(|f| f == flag));
    let takes_shared = command.get_arguments().any(is_shared);
    let own = command.clone().mut_args(|arg| {
        let elsewhere = is_shared(&arg) && !is_run || arg.get_id() == "help";
        arg.hide(elsewhere)
    });
    let man = Man::new(own);
    let mut text = Vec::new();
    man.render_description_section(&mut text)?;
    man.render_options_section(&mut text)?;
    let mut roff = Roff::default();
    roff.control("SS", [name(command).as_str()]);
    roff.to_writer(page)?;
    page.extend(below_the_heading(&String::from_utf8(text)?).into_bytes());
    if takes_shared && !is_run {
        let mut roff = Roff::default();
        roff.control("PP", []);
        roff.text([roman("Takes the options of "), bold("cardcancel run"), roman(" too.")]);
        roff.to_writer(page)?;
    }
    Ok(())
}

/// Headings of sections as they are within one: the first two go without saying,
/// the others become plain bold lines.
fn below_the_heading(text: &str) -> String {
    let line = |line: &str| match line.strip_prefix(".SH ") {
        Some("DESCRIPTION" | "OPTIONS") => String::new(),
        Some(heading) => format!(".PP\n\\fB{}\\fR\n", heading.trim_matches('"')),
        None => format!("{line}\n"),
    };
    text.lines().map(line).collect()
}

fn name(command: &Command) -> String {
    command.get_bin_name().unwrap_or_else(|| command.get_name()).to_owned()
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
        roff.text([bold(term.as_ref())] as [Inline; 1]);
        roff.text([roman(meaning)]);
    }
    roff
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_and_option_is_in_the_manual() {
        let page = page().unwrap().replace("\\-", "-");
        let mut command = cli::command().disable_help_subcommand(true);
        command.build();
        for leaf in leaves(&command) {
            assert!(page.contains(&format!(".SS \"{}\"", name(leaf))), "{}", name(leaf));
            let flags = leaf.get_arguments().filter_map(Arg::get_long);
            for flag in flags.filter(|flag| *flag != "help") {
                assert!(page.contains(&format!("--{flag}")), "--{flag}");
            }
        }
    }

    #[test]
    fn every_exit_code_file_and_variable_is_in_the_manual() {
        let page = page().unwrap();
        for section in ["EXIT STATUS", "FILES", "ENVIRONMENT"] {
            assert!(
                page.contains(&format!(".SH \"{section}\""))
                    || page.contains(&format!(".SH {section}")),
                "{section}"
            );
        }
        for (_, meaning) in ExitCode::LIST {
            let words: Vec<&str> = meaning.split(' ').take(3).collect();
            assert!(page.contains(&words.join(" ")), "{meaning}");
        }
    }
}
