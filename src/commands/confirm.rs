//! Asks for a yes before anything is sent or recorded; `run/preflight.rs` and `resolve/question.rs`
//! compose the questions.

use std::io::{BufRead, IsTerminal};

use anyhow::{Context, bail};

use crate::output::console;

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub enum Question {
    /// Whether to send orders.
    Send,
    /// Whether to record what evidence shows.
    Record,
    /// Whether to remove rows from the ledger.
    Forget,
}

impl Question {
    fn refusal(self) -> &'static str {
        match self {
            Question::Send => {
                "not a terminal, so the run cannot be confirmed; pass --yes to send without asking"
            }
            Question::Record => {
                "not a terminal, so this cannot be confirmed; pass --yes to record it without asking"
            }
            Question::Forget => {
                "not a terminal, so this cannot be confirmed; pass --yes to forget without asking"
            }
        }
    }

    fn prompt(self) -> &'static str {
        match self {
            Question::Send => "This cannot be undone. Type yes to send:",
            Question::Record => "This cannot be undone. Type yes to record it:",
            Question::Forget => "This cannot be undone. Type yes to forget:",
        }
    }

    fn done(self) -> &'static str {
        match self {
            Question::Send => "sent",
            Question::Record => "recorded",
            Question::Forget => "forgotten",
        }
    }
}

/// Shows what is about to happen and asks for confirmation. Without a terminal nobody can be asked:
/// then `--yes` is required, and what is about to happen is shown all the same. `reads_input` is
/// whether standard input is the file itself.
///
/// # Errors
/// When there is nobody to ask, or the answer is not yes.
pub fn confirm(question: Question, what: &str, reads_input: bool) -> anyhow::Result<()> {
    let readable = std::io::stdin().is_terminal() && !reads_input;
    if !readable || !std::io::stderr().is_terminal() {
        console::eprint_line(what);
        bail!("{}", question.refusal());
    }
    console::eprint_question(what);
    console::eprint_question(question.prompt());
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer).context("cannot read the answer")?;
    match answer.trim() {
        "yes" => Ok(()),
        _ => bail!("nothing was {}: the answer was not yes", question.done()),
    }
}
