//! Asks for a yes before anything is sent; `run/preflight.rs` composes the question.

use std::io::{BufRead, IsTerminal};
use std::path::Path;

use anyhow::{Context, bail};

use crate::output::console;

/// Shows what is about to happen and asks for confirmation. Without a terminal nobody can
/// be asked: then `--yes` is required.
///
/// # Errors
/// When there is nobody to ask, or the answer is not yes.
pub fn confirm(what: &str, input: &Path) -> anyhow::Result<()> {
    let readable = std::io::stdin().is_terminal() && input != Path::new("-");
    if !readable || !std::io::stderr().is_terminal() {
        bail!(
            "not a terminal, so the run cannot be confirmed; pass --yes to send without asking\n{what}"
        );
    }
    console::eprint_question(what);
    console::eprint_question("This cannot be undone. Type yes to send:");
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer).context("cannot read the answer")?;
    match answer.trim() {
        "yes" => Ok(()),
        _ => bail!("nothing was sent: the answer was not yes"),
    }
}
