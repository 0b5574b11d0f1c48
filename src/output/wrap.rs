//! Wraps text for people to the width of a terminal.

use ::console::{Term, measure_text_width};

/// Narrower than this, lines are not wrapped: there would be a word on each.
const NARROWEST: usize = 40;

/// The text for standard output: wrapped if that is a terminal.
pub fn for_stdout(text: &str) -> String {
    for_terminal(&Term::stdout(), text)
}

/// The text for standard error: wrapped if that is a terminal.
pub fn for_stderr(text: &str) -> String {
    for_terminal(&Term::stderr(), text)
}

/// The columns of standard output if it is a terminal that is wide enough for text to be laid out.
pub fn stdout_columns() -> Option<usize> {
    columns(&Term::stdout())
}

fn for_terminal(terminal: &Term, text: &str) -> String {
    columns(terminal).map_or_else(|| text.to_owned(), |columns| wrapped(text, columns))
}

fn columns(terminal: &Term) -> Option<usize> {
    let size = terminal.size_checked().filter(|_| terminal.is_term());
    size.map(|(_, columns)| usize::from(columns)).filter(|columns| *columns >= NARROWEST)
}

/// The text in lines of at most this many columns. Commands are not divided, so that they can be
/// copied; one that is too long stands on a line of its own.
fn wrapped(text: &str, width: usize) -> String {
    let lines: Vec<String> = text.lines().map(|line| wrapped_line(line, width)).collect();
    lines.join("\n")
}

fn wrapped_line(line: &str, width: usize) -> String {
    if measure_text_width(line) <= width {
        return line.to_owned();
    }
    let indent = line.len().saturating_sub(line.trim_start().len());
    let indent = " ".repeat(indent.saturating_add(2));
    let mut text = String::new();
    let mut columns: usize = 0;
    for unit in units(line) {
        let wider = columns.saturating_add(measure_text_width(unit));
        // A blank at the end takes no room.
        let needed = wider.saturating_sub(usize::from(unit.ends_with(' ')));
        if columns > indent.len() && needed > width {
            text.truncate(text.trim_end().len());
            text.push('\n');
            text += &indent;
            columns = indent.len();
            text += unit.trim_start();
            columns = columns.saturating_add(measure_text_width(unit.trim_start()));
        } else {
            text += unit;
            columns = wider;
        }
    }
    text
}

/// The parts of a line that are not divided, each with the blank behind it: words, and commands.
fn units(line: &str) -> Vec<&str> {
    let mut units = Vec::new();
    let mut start: usize = 0;
    let mut is_command = false;
    for (at, letter) in line.char_indices() {
        if letter == '`' {
            is_command = !is_command;
        }
        let is_last_command = line.get(..at).is_some_and(|before| before.ends_with(':'))
            && line.get(at..).is_some_and(|rest| rest.starts_with(" cardcancel "));
        if letter == ' ' && !is_command {
            let next = at.saturating_add(1);
            units.extend(line.get(start..next));
            start = next;
            if is_last_command {
                break;
            }
        }
    }
    units.extend(line.get(start..).filter(|rest| !rest.is_empty()));
    units
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_divided_at_its_blanks_and_what_follows_is_indented() {
        let seal = format!("Seal 17: {}", ["ab12"; 16].join(" "));
        insta::assert_snapshot!(wrapped(&seal, 80), @r"
        Seal 17: ab12 ab12 ab12 ab12 ab12 ab12 ab12 ab12 ab12 ab12 ab12 ab12 ab12 ab12
          ab12 ab12
        ");
        let text = format!("short\n  {}", "word ".repeat(12).trim_end());
        insta::assert_snapshot!(wrapped(&text, 40), @r"
        short
          word word word word word word word
            word word word word word
        ");
        assert_eq!(wrapped(&text, 200), text);
    }

    #[test]
    fn a_command_is_not_divided() {
        let next = "Next: send the open rows again with: cardcancel rerun a/long/path/orders.results.csv --profile production";
        insta::assert_snapshot!(wrapped(next, 60), @r"
        Next: send the open rows again with:
          cardcancel rerun a/long/path/orders.results.csv --profile production
        ");
        let held = "Held to 20/s, by `cardcancel pace 1 20/s`, also when it resumes";
        insta::assert_snapshot!(wrapped(held, 40), @r"
        Held to 20/s, by
          `cardcancel pace 1 20/s`, also when it
          resumes
        ");
    }
}
