//! What a configuration file sets, or one of its profiles.

use super::layer::Layer;
use super::seal_settings::SealSettings;
use super::sourced::SourcedTables;
use crate::model::CodeMap;

/// What a file sets, or one of its profiles.
#[derive(Debug, Default, Clone)]
pub struct Section {
    /// The keys that are options too.
    pub settings: Layer,
    /// `[auth]`, and where it stands.
    pub auth: Option<(toml::Table, String)>,
    /// `[codes]`
    pub codes: Option<CodeMap>,
    /// `[rehearsal]`
    pub rehearsal: Option<toml::Table>,
    /// `[seal]`
    pub seal: Option<SealSettings>,
    /// The tables as text, each value with its line.
    pub tables: SourcedTables,
    /// The file's name.
    pub file: Option<String>,
    /// The file's profiles that have an address.
    pub profiles: Vec<String>,
}

impl Section {
    /// This section, and where it says nothing, the lower one. Tables count as a
    /// whole: a profile's `[codes]` replaces the file's.
    pub(super) fn or(self, mut lower: Section) -> Section {
        lower.tables.extend(self.tables);
        Section {
            settings: self.settings.or(lower.settings),
            auth: self.auth.or(lower.auth),
            codes: self.codes.or(lower.codes),
            rehearsal: self.rehearsal.or(lower.rehearsal),
            seal: self.seal.or(lower.seal),
            tables: lower.tables,
            file: self.file.or(lower.file),
            profiles: self.profiles,
        }
    }
}
