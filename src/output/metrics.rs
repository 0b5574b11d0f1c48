//! The run's metrics in Prometheus' text format, in a file for the textfile
//! collector: so that an alert can say that the nightly run did not finish.

use std::fmt::Write as _;
use std::fs::{File, Permissions};
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use jiff::Timestamp;
use tokio::sync::watch;

use super::results::WrittenResults;
use super::temp_file::names_folder;
use crate::engine::Snapshot;
use crate::exit_code::ExitCode;
use crate::ledger::Run;
use crate::model::{Counts, Status};

/// How often the file is replaced during a run.
const REPLACED_EVERY: Duration = Duration::from_secs(15);

/// The metrics of one run.
#[derive(Debug, Clone)]
pub struct RunMetrics {
    /// The run.
    pub run: String,
    /// The profile it uses: what keeps the metrics of several jobs apart.
    pub profile: Option<String>,
    /// When this process started it.
    pub started_at: Timestamp,
    /// How many rows it has.
    pub rows: u64,
    /// How the rows stand.
    pub counts: Counts,
    /// Rows that have not ended.
    pub left: u64,
    /// Attempts of the run, by earlier processes too.
    pub attempts: u64,
    /// Calls in flight.
    pub in_flight: u32,
    /// Rows that wait for another attempt.
    pub waiting: u64,
    /// The rate to which the run is held by request, in calls a second.
    pub pace: Option<f64>,
    /// Why the run stopped, if it did before its last row.
    pub stop: Option<String>,
    /// When and how this process ended, once it has.
    pub ended: Option<(Timestamp, ExitCode)>,
}

/// The metrics, and the file that is kept up to date with them, if one is wanted.
#[derive(Debug, Clone)]
pub struct MetricsFile {
    path: Option<PathBuf>,
    attempts_before: u64,
    metrics: RunMetrics,
}

impl MetricsFile {
    /// Writes the metrics for the first time.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn create(path: Option<PathBuf>, metrics: RunMetrics) -> anyhow::Result<MetricsFile> {
        let metrics = MetricsFile { path, attempts_before: metrics.attempts, metrics };
        metrics.write().map(|()| metrics)
    }

    /// Keeps the file up to date until the sender is gone.
    pub async fn keep_up_to_date(self, shown: watch::Receiver<Snapshot>) {
        self.replace_every(REPLACED_EVERY, shown).await;
    }

    async fn replace_every(mut self, period: Duration, mut shown: watch::Receiver<Snapshot>) {
        let mut ticks = tokio::time::interval(period);
        ticks.tick().await;
        let mut failed = false;
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                changed = shown.changed() => match changed {
                    Ok(()) => continue,
                    Err(_gone) => break,
                },
            }
            self.update(&shown.borrow());
            let now = self.clone();
            // A slow disk must not hold up the calls.
            let written = tokio::task::spawn_blocking(move || now.write()).await;
            match written {
                Ok(Err(error)) if !failed => {
                    tracing::warn!("{error:#}; the run continues");
                    failed = true;
                }
                Ok(Ok(())) => failed = false,
                _ => {}
            }
        }
    }

    /// Replaces the run's identifier: another process has created the run of this file.
    pub fn set_run_id(&mut self, run: &str) {
        run.clone_into(&mut self.metrics.run);
    }

    /// Takes in a snapshot of the run.
    pub fn update(&mut self, snapshot: &Snapshot) {
        let metrics = &mut self.metrics;
        metrics.counts = snapshot.counts;
        metrics.left = metrics.rows.saturating_sub(snapshot.counts.total());
        metrics.attempts = self.attempts_before + snapshot.calls;
        metrics.in_flight = snapshot.in_flight;
        metrics.waiting = snapshot.waiting as u64;
        metrics.pace = snapshot.pace.map(|pace| pace.per_second());
    }

    /// Takes in the final state of the run, and its rows in the results.
    pub fn finish(&mut self, run: &Run, results: &WrittenResults) {
        let metrics = &mut self.metrics;
        metrics.counts = results.counts;
        metrics.left = results.left();
        metrics.attempts = run.attempts;
        metrics.in_flight = 0;
        metrics.waiting = 0;
        metrics.stop.clone_from(&run.stop);
    }

    /// Writes the metrics for the last time.
    pub fn finalize(mut self, at: Timestamp, exit: ExitCode) {
        self.metrics.ended = Some((at, exit));
        if let Err(error) = self.write() {
            tracing::warn!("{error:#}");
        }
    }

    fn write(&self) -> anyhow::Result<()> {
        let Some(path) = &self.path else { return Ok(()) };
        may_replace(path)?;
        replace(path, &self.metrics.text()).with_context(|| {
            format!(
                "the metrics cannot be written to {}: name another --metrics-file",
                path.display()
            )
        })
    }
}

/// How every file begins that was written here.
const BEGINNING: &[u8] = b"# HELP cardcancel_run_info ";

/// Refuses to replace what somebody else wrote. An empty file is nobody's.
fn may_replace(path: &Path) -> anyhow::Result<()> {
    let name = path.display();
    if names_folder(path) {
        bail!("{name} names a folder: name a file in it with --metrics-file");
    }
    let unreadable = || format!("cannot read {name}: name another --metrics-file");
    let there = match std::fs::symlink_metadata(path) {
        Err(absent) if absent.kind() == ErrorKind::NotFound => return Ok(()),
        there => there.with_context(unreadable)?,
    };
    if !there.is_file() {
        bail!("{name} is not a plain file: name another --metrics-file");
    }
    let mut beginning = Vec::new();
    File::open(path)
        .and_then(|file| file.take(BEGINNING.len() as u64).read_to_end(&mut beginning))
        .with_context(unreadable)?;
    if beginning.is_empty() || beginning == BEGINNING {
        Ok(())
    } else {
        bail!(
            "{name} already exists and does not hold metrics of this program: move it away, or name another --metrics-file"
        )
    }
}

/// Readers see the old file or the new one, never a part.
fn replace(path: &Path, text: &str) -> std::io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    // An error about the folder should not name the temporary file.
    std::fs::metadata(folder)?;
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(text.as_bytes())?;
    // The collector is another user.
    file.as_file().set_permissions(Permissions::from_mode(0o644))?;
    file.persist(path)?;
    Ok(())
}

impl RunMetrics {
    /// The metrics in the text format, version 0.0.4.
    pub fn text(&self) -> String {
        let mut text = PromText { text: String::new(), profile: self.profile.as_deref() };
        let version = env!("CARGO_PKG_VERSION");
        let info = [("run", self.run.as_str()), ("version", version)];
        text.family("info", "gauge", "The run, and the program's version.");
        text.sample("info", &info, 1);
        text.one("input_rows", "gauge", "Rows of the input.", self.rows);
        text.family("rows", "gauge", "Rows by status.");
        for status in Status::ALL {
            text.sample("rows", &[("status", status.as_str())], self.counts.get(status));
        }
        let in_doubt = "Rows that may or may not be cancelled: in_doubt, or rejected with doubt.";
        text.one("rows_in_doubt", "gauge", in_doubt, self.counts.in_doubt());
        text.one("rows_left", "gauge", "Rows that have not ended.", self.left);
        let attempts = "Attempts of the run whose end is known.";
        text.one("attempts_total", "counter", attempts, self.attempts);
        text.one("in_flight", "gauge", "Calls in flight.", self.in_flight.into());
        text.one("rows_waiting", "gauge", "Rows that wait for another attempt.", self.waiting);
        if let Some(pace) = self.pace {
            let help = "The calls a second to which `cardcancel pace` holds the run.";
            text.family("pace", "gauge", help);
            text.sample("pace", &[], pace);
        }
        let started = "When the run was started, or started again.";
        text.timestamp("started_timestamp_seconds", started, self.started_at);
        let complete = "Whether the run has finished with every row ended.";
        let is_complete = self.ended.is_some() && self.left == 0;
        text.one("complete", "gauge", complete, is_complete.into());
        if let Some((at, exit)) = self.ended {
            text.timestamp("ended_timestamp_seconds", "When the run finished.", at);
            let code = "The exit code; 0 is every row cancelled, or what --ok-if allows.";
            text.one("exit_code", "gauge", code, exit as u64);
        }
        if let Some(stop) = &self.stop {
            text.family("stopped", "gauge", "Why the run stopped before its last row.");
            text.sample("stopped", &[("reason", stop)], 1);
        }
        text.text
    }
}

/// A text of metrics, each with the same beginning and the same profile.
struct PromText<'a> {
    text: String,
    profile: Option<&'a str>,
}

impl PromText<'_> {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.text, "# HELP cardcancel_run_{name} {help}");
        let _ = writeln!(self.text, "# TYPE cardcancel_run_{name} {kind}");
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl std::fmt::Display) {
        let profile = self.profile.map(|profile| ("profile", profile));
        let labels: Vec<String> = profile
            .iter()
            .chain(labels)
            .map(|(label, value)| format!("{label}=\"{}\"", escaped(value)))
            .collect();
        let labels =
            if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        let _ = writeln!(self.text, "cardcancel_run_{name}{labels} {value}");
    }

    fn one(&mut self, name: &str, kind: &str, help: &str, value: u64) {
        self.family(name, kind, help);
        self.sample(name, &[], value);
    }

    fn timestamp(&mut self, name: &str, help: &str, at: Timestamp) {
        self.family(name, "gauge", help);
        let milliseconds = at.as_millisecond().rem_euclid(1000);
        self.sample(name, &[], format_args!("{}.{milliseconds:03}", at.as_second()));
    }
}

fn escaped(value: &str) -> String {
    value.replace('\\', r"\\").replace('"', "\\\"").replace('\n', r"\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use insta::assert_snapshot;

    fn metrics() -> RunMetrics {
        RunMetrics {
            run: "20261122-010000-875d".to_owned(),
            profile: Some("production".to_owned()),
            started_at: "2026-11-22T01:00:00.25Z".parse().unwrap(),
            rows: 100,
            counts: Counts::default(),
            left: 100,
            attempts: 40,
            in_flight: 0,
            waiting: 0,
            pace: None,
            stop: None,
            ended: None,
        }
    }

    fn samples(metrics: &RunMetrics) -> String {
        let text = metrics.text();
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        lines.collect::<Vec<_>>().join("\n").replace(env!("CARGO_PKG_VERSION"), "[version]")
    }

    #[test]
    fn a_run_under_way_has_no_end_yet() {
        let mut metrics = MetricsFile::create(None, metrics()).unwrap();
        let mut counts: Counts =
            [(Status::Cancelled, 27), (Status::Rejected, 2), (Status::InDoubt, 1)]
                .into_iter()
                .collect();
        counts.add_rejected_with_doubt(1);
        let snapshot =
            Snapshot { counts, in_flight: 6, waiting: 3, calls: 35, ..Snapshot::default() };
        metrics.update(&snapshot);
        assert_snapshot!(samples(&metrics.metrics), @r#"
        cardcancel_run_info{profile="production",run="20261122-010000-875d",version="[version]"} 1
        cardcancel_run_input_rows{profile="production"} 100
        cardcancel_run_rows{profile="production",status="cancelled"} 27
        cardcancel_run_rows{profile="production",status="already_cancelled"} 0
        cardcancel_run_rows{profile="production",status="rejected"} 2
        cardcancel_run_rows{profile="production",status="failed"} 0
        cardcancel_run_rows{profile="production",status="in_doubt"} 1
        cardcancel_run_rows{profile="production",status="invalid"} 0
        cardcancel_run_rows{profile="production",status="duplicate"} 0
        cardcancel_run_rows{profile="production",status="not_sent"} 0
        cardcancel_run_rows_in_doubt{profile="production"} 2
        cardcancel_run_rows_left{profile="production"} 70
        cardcancel_run_attempts_total{profile="production"} 75
        cardcancel_run_in_flight{profile="production"} 6
        cardcancel_run_rows_waiting{profile="production"} 3
        cardcancel_run_started_timestamp_seconds{profile="production"} 1795309200.250
        cardcancel_run_complete{profile="production"} 0
        "#);
    }

    #[test]
    fn a_run_that_stopped_says_when_and_why_and_is_not_complete() {
        let ended = Some(("2026-11-22T03:29:30Z".parse().unwrap(), ExitCode::Stopped));
        let stop = Some("CUT_OFF".to_owned());
        let stopped = RunMetrics { profile: None, stop, ended, ..metrics() };
        let text = samples(&stopped);
        let (_, end) = text.split_once("seconds 1795309200.250\n").unwrap();
        assert_snapshot!(end, @r#"
        cardcancel_run_complete 0
        cardcancel_run_ended_timestamp_seconds 1795318170.000
        cardcancel_run_exit_code 4
        cardcancel_run_stopped{reason="CUT_OFF"} 1
        "#);
    }

    #[test]
    fn a_label_may_hold_anything() {
        assert_eq!(escaped("a\\b\"c\nd"), r#"a\\b\"c\nd"#);
    }

    #[test]
    fn a_file_that_cannot_be_written_is_an_error_at_the_start() {
        let folder = tempfile::tempdir().unwrap();
        let begin = |name: &str| MetricsFile::create(Some(folder.path().join(name)), metrics());
        assert!(begin("missing/run.prom").is_err());
        assert!(begin("run.prom").is_ok());
        let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().collect();
        assert_eq!(left.len(), 1, "a partial file was left behind");
    }

    #[tokio::test]
    async fn the_file_follows_the_run() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run.prom");
        let metrics = MetricsFile::create(Some(path.clone()), metrics()).unwrap();
        let (show, shown) = watch::channel(Snapshot::default());
        let often = Duration::from_millis(1);
        let keeping = tokio::spawn(metrics.clone().replace_every(often, shown));
        show.send_replace(Snapshot { in_flight: 5, ..Snapshot::default() });
        let holds = |text: &str| std::fs::read_to_string(&path).unwrap().contains(text);
        while !holds("in_flight{profile=\"production\"} 5\n") {
            tokio::time::sleep(often).await;
        }
        drop(show);
        keeping.await.unwrap();
        metrics.finalize(Timestamp::now(), ExitCode::InDoubt);
        assert!(holds("exit_code{profile=\"production\"} 3\n"));
    }
}
