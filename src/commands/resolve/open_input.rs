//! The open rows of all runs as the results file in which evidence ends doubts.

use std::fs::File;
use std::io::{Seek as _, SeekFrom};
use std::path::Path;

use anyhow::Context as _;

use crate::commands::open_rows::OpenRows;
use crate::commands::read_only::open_ledger;
use crate::commands::run_input::{OPEN_ROWS, RunInput, spool};
use crate::commands::target::Target;
use crate::config::Settings;
use crate::input::Input;
use crate::ledger::Ledger;
use crate::output::recorded_results::RecordedResults;
use crate::private_file;

/// Lists the open rows at an address.
pub struct OpenInput<'a> {
    /// The settings.
    pub settings: &'a Settings,
    /// The address.
    pub target: &'a Target,
    /// What identifies the evidence.
    pub key_parts: &'a [String],
}

impl OpenInput<'_> {
    /// Lists the open rows; `None` if there are none. If the same evidence was recorded before, and
    /// nothing has changed since, they are those of that time, so that the run is found again.
    pub fn read(&self, ledger: &mut dyn Ledger) -> anyhow::Result<Option<RunInput>> {
        let now = || OpenRows::of(self.target.name.clone());
        let key = RunInput::resolution_key(self.key_parts, self.settings, self.target);
        if let Some(run) = ledger.find_by_key(&key)?
            && let Some(listed) = self.list(&now().before(run.clone()))?
            && listed.input.digest()?.to_string() == run.opened.input_digest
        {
            return Ok(Some(listed));
        }
        let (listed, remarks) = self.list_with_remarks(&now())?;
        remarks.iter().for_each(|remark| tracing::warn!("{remark}"));
        Ok(listed)
    }

    fn list(&self, open: &OpenRows) -> anyhow::Result<Option<RunInput>> {
        self.list_with_remarks(open).map(|(listed, _)| listed)
    }

    fn list_with_remarks(
        &self,
        open: &OpenRows,
    ) -> anyhow::Result<(Option<RunInput>, Vec<String>)> {
        let spool = spool(self.settings);
        let (mut file, rows, remarks) = self
            .write(open, &spool)
            .with_context(|| format!("the open rows cannot be listed in {}", spool.display()))?;
        if rows == 0 {
            return Ok((None, remarks));
        }
        file.seek(SeekFrom::Start(0))?;
        let input = Input::spool(OPEN_ROWS, file, &spool)?;
        let input = RunInput::of_resolution(input, self.key_parts, self.settings, self.target)?;
        Ok((Some(input), remarks))
    }

    /// Writes them to an anonymous file. Returns it, the number of rows, and what was left out.
    fn write(&self, open: &OpenRows, spool: &Path) -> anyhow::Result<(File, u64, Vec<String>)> {
        let location = &self.settings.ledger;
        let (mut ledger, mut lookups) = (open_ledger(location)?, open_ledger(location)?);
        private_file::create_folder(spool)?;
        let mut results = RecordedResults::new(tempfile::tempfile_in(spool)?, true)?;
        let mut rows = 0;
        let remarks = open.read(ledger.as_mut(), lookups.as_mut(), &mut |row, run| {
            rows += 1;
            Ok(results.line(row, run)?)
        })?;
        Ok((results.finish()?, rows, remarks))
    }
}
