//! The text of a seal.

use std::fmt::{self, Display};

use super::{
    Seal, SealedBy, SealedClock, SealedFile, SealedForgetting, SealedLines, SealedOffset,
    SealedProgram, SealedState, SealedUser,
};
use crate::hash::Digest;
use crate::ledger::Purpose;

/// The first line of every seal of this form.
pub(super) const FIRST_LINE: &str = "cardcancel seal 1";

/// What stands for a value that there is not. Free text is in quotes, so it is never this.
pub(super) const NONE: &str = "none";

impl Seal {
    /// The text of the seal.
    pub fn to_text(&self) -> String {
        self.to_string()
    }

    /// The digest of the text, by which the next seal and all witnesses name this one.
    pub fn digest(&self) -> Digest {
        Digest::new(self.to_text())
    }
}

impl Display for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{FIRST_LINE}")?;
        writeln!(f, "ledger {}", self.ledger)?;
        writeln!(f, "number {}", self.number)?;
        writeln!(f, "previous {}", self.previous)?;
        writeln!(f, "run {}", self.run)?;
        match &self.state {
            SealedState::Stopped(code) => writeln!(f, "state stopped {}", quoted(code))?,
            SealedState::Forgotten(SealedForgetting { at, kept, export }) => writeln!(
                f,
                "state forgotten {at:.6} kept {} {} export {} {}",
                kept.lines,
                kept.digest,
                export.digest,
                quoted(&export.name)
            )?,
            state => writeln!(f, "state {}", state.word())?,
        }
        match self.continues {
            Some(seal) if seal.as_it_was => writeln!(f, "continues {} as it was", seal.number)?,
            Some(seal) => writeln!(f, "continues {} DIFFERENT", seal.number)?,
            None => writeln!(f, "continues {NONE}")?,
        }
        let input = &self.input;
        writeln!(f, "input {} {} rows {}", input.digest, input.rows, quoted(&input.name))?;
        for (table, SealedLines { lines, digest }) in
            [("rows", self.rows), ("attempts", self.attempts), ("events", self.events)]
        {
            writeln!(f, "{table} {lines} {digest}")?;
        }
        writeln!(f, "configuration {}", or_none(self.configuration))?;
        match &self.results {
            Some(SealedFile { digest, name }) => writeln!(f, "results {digest} {}", quoted(name))?,
            None => writeln!(f, "results {NONE}")?,
        }
        f.write_str("counts")?;
        if self.counts.total() == 0 {
            write!(f, " {NONE}")?;
        }
        for (status, rows) in self.counts.iter() {
            write!(f, " {status} {rows}")?;
        }
        writeln!(f)?;
        writeln!(f, "opened {:.6}", self.opened)?;
        match self.finished {
            Some(finished) => writeln!(f, "finished {finished:.6}")?,
            None => writeln!(f, "finished {NONE}")?,
        }
        write_by(&self.by, f)?;
        write_purpose(&self.purpose, f)?;
        write_clock(self.clock, f)?;
        let SealedProgram { version, executable } = &self.program;
        writeln!(f, "program cardcancel {version} sha256 {}", or_none(*executable))
    }
}

fn write_by(by: &SealedBy, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let user = |user: &SealedUser| format!("{} {}", user.uid, quoted(&user.name));
    match by {
        SealedBy::Process { user: by, login, host, unit } => {
            let login = or_none(login.as_ref().map(user));
            let (by, host, unit) = (user(by), quoted(host), quoted(unit));
            writeln!(f, "by uid {by}, login {login}, host {host}, unit {unit}")
        }
        SealedBy::Worker(worker) => writeln!(f, "by worker {}", quoted(worker)),
    }
}

fn write_purpose(purpose: &Purpose, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let text = |text: &Option<String>| or_none(text.as_deref().map(quoted));
    let (reason, requested_by) = (text(&purpose.reason), text(&purpose.requested_by));
    writeln!(f, "for {reason} requested by {requested_by}, ticket {}", text(&purpose.ticket))
}

fn write_clock(clock: SealedClock, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let state = match clock.is_synchronized {
        Some(true) => "synchronized",
        Some(false) => "not synchronized",
        None => "not known to be synchronized",
    };
    write!(f, "clock {state}, ")?;
    let Some(SealedOffset { ahead_tenths, within_tenths }) = clock.offset else {
        return writeln!(f, "not compared with the server's Date");
    };
    let side = if ahead_tenths < 0 { "behind" } else { "ahead of" };
    write!(f, "{} {side} the server's Date", seconds(ahead_tenths.unsigned_abs()))?;
    match within_tenths {
        Some(within) => writeln!(f, ", give or take {}", seconds(within)),
        None => writeln!(f),
    }
}

fn seconds(tenths: u64) -> String {
    format!("{}.{} s", tenths / 10, tenths % 10)
}

/// The text as a JSON string: one line, whatever it holds.
pub(super) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn or_none(value: Option<impl Display>) -> String {
    value.map_or_else(|| NONE.to_owned(), |value| value.to_string())
}
