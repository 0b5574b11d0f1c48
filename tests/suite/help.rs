//! What help shows: `-h` on one screen, `--help` in full.
use cardcancel::cli;
use cardcancel::cli::help::COMMANDS;
use insta::assert_snapshot;

/// A terminal of the usual size.
const COLUMNS: usize = 80;
const LINES: usize = 40;

/// The help of a command, as a terminal of the usual width shows it.
fn help(name: &str, flag: &str) -> String {
    let words = name.split_whitespace().chain([flag]);
    let command = cli::command().term_width(COLUMNS);
    let error = command.try_get_matches_from(std::iter::once("cardcancel").chain(words));
    error.unwrap_err().render().to_string()
}

/// The line of shell that shows it.
fn line(name: &str, flag: &str) -> String {
    let words = ["cardcancel"].into_iter().chain(name.split_whitespace()).chain([flag]);
    words.collect::<Vec<_>>().join(" ")
}

#[test]
fn at_a_glance_each_command_fits_a_screen_and_has_an_example() {
    for command in COMMANDS {
        let text = help(command.name, "-h");
        let lines = text.lines().count();
        assert!(lines <= LINES, "{lines} lines:\n{text}");
        assert!(text.contains("\nExample:\n  "), "{text}");
        assert!(text.contains("See "), "{text}");
    }
}

#[test]
fn in_full_each_command_ends_in_exit_codes_and_examples() {
    for command in COMMANDS {
        let text = help(command.name, "--help");
        let (_, end) = text.split_once("\nEXIT CODES:\n").expect(&text);
        let (codes, examples) = end.split_once("\nEXAMPLES:\n").expect(&text);
        assert!(codes.contains("  0  "), "{text}");
        for example in command.examples {
            // It is not broken, and can be copied.
            assert!(example.line.len() + 4 <= COLUMNS, "{}", example.line);
        }
        assert_eq!(examples.matches("\n    ").count(), command.examples.len(), "{text}");
    }
}

#[test]
fn no_help_is_wider_than_the_terminal() {
    for command in COMMANDS {
        for flag in ["-h", "--help"] {
            for line in help(command.name, flag).lines() {
                assert!(line.chars().count() <= COLUMNS, "{} {flag}: {line}", command.name);
            }
        }
    }
}

#[test]
fn the_texts_at_a_glance() {
    let rule = "=".repeat(COLUMNS);
    let texts = COMMANDS.iter().map(|command| {
        format!("{rule}\n$ {}\n{}", line(command.name, "-h"), help(command.name, "-h"))
    });
    assert_snapshot!(texts.collect::<String>());
}

#[test]
fn the_texts_in_full() {
    let rule = "=".repeat(COLUMNS);
    let texts = ["", "run", "runs", "man"]
        .map(|name| format!("{rule}\n$ {}\n{}", line(name, "--help"), help(name, "--help")));
    assert_snapshot!(texts.concat());
}
