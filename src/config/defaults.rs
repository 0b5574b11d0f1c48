//! The defaults, all of them and only here.

/// Every setting that has a default, by its flag; written as a user would.
pub const DEFAULTS: &[(&str, &str)] = &[
    // Slow on purpose, until the contract's figure is given.
    ("rate", "10/s"),
    ("concurrency", "256"),
    ("timeout", "30s"),
    ("attempts", "3"),
    ("on-doubt", "retry"),
    // What limits a rate does so before it passes a request on.
    ("not-processed-statuses", "429"),
    ("max-outage", "15m"),
    // Longer than any pause of a healthy process, short enough that the others soon do
    // the work of one that died.
    ("lease", "30s"),
    // Rows in doubt are to be looked up one by one: no file needs a thousand to be stopped.
    ("max-consecutive-doubts", "1000"),
    ("start-window", "off"),
    ("max-failures", "off"),
    ("max-consecutive-failures", "off"),
    ("max-consecutive-same-code", "off"),
    ("canary", "off"),
    ("max-rows", "off"),
    ("log-format", "text"),
    ("log-level", "info"),
    ("source", "WEB"),
    ("api-version", "2.0"),
    ("allow-partial", "no"),
    ("again", "no"),
    ("yes", "no"),
    ("rehearse", "no"),
    ("quiet", "no"),
    ("json", "no"),
    ("exempt-admin-column", "no"),
    ("as-orders", "no"),
    ("trust-results", "no"),
];

/// What stands for `external-ip` in a rehearsal, where no one reads it.
pub const REHEARSAL_EXTERNAL_IP: &str = "127.0.0.1";

/// The default of a setting as text, by its flag.
pub fn default_of(flag: &str) -> Option<&'static str> {
    DEFAULTS.iter().find(|(name, _)| *name == flag).map(|(_, text)| *text)
}
