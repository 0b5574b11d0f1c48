//! The configuration file to start from: every key, commented out.

/// Every key with its default, or an example if it has none, all commented out.
/// A `#` with a space begins prose; one without stands before a setting.
pub const DEFAULT_FILE: &str = include_str!("default.toml");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::SettingName;
    use crate::config::defaults::DEFAULTS;
    use crate::config::file::{ConfigFile, key_flags};

    /// The file with every setting made, but for those of `[auth]` that go with
    /// another kind than its own.
    fn uncommented() -> String {
        let line = |line: &str| match line.strip_prefix('#') {
            Some(setting) if !setting.starts_with(' ') => format!("{setting}\n"),
            _ => format!("{line}\n"),
        };
        let text: String = DEFAULT_FILE.lines().map(line).collect();
        let mut table: toml::Table = text.parse().unwrap();
        table["auth"].as_table_mut().unwrap().retain(|key, _| key == "kind");
        table.to_string()
    }

    #[test]
    fn as_it_stands_it_says_nothing() {
        let table: toml::Table = DEFAULT_FILE.parse().unwrap();
        assert!(table.is_empty());
    }

    #[test]
    fn uncommented_it_is_understood() {
        ConfigFile::parse("default.toml", &uncommented()).unwrap();
    }

    #[test]
    fn every_key_is_in_it() {
        let table: toml::Table = uncommented().parse().unwrap();
        let keys = key_flags().into_iter().map(|flag| SettingName(&flag).key());
        for key in keys.chain(["auth", "codes", "rehearsal", "seal"].map(str::to_owned)) {
            assert!(table.contains_key(&key), "{key}");
        }
    }

    #[test]
    fn its_defaults_are_the_defaults() {
        let file = ConfigFile::parse("default.toml", &uncommented()).unwrap();
        let stated = file.section(None).unwrap().settings;
        for (flag, text) in DEFAULTS {
            assert_eq!(stated.sourced(flag).unwrap().value, *text, "{flag}");
        }
    }

    #[test]
    fn every_setting_is_explained_in_the_line_before_it() {
        let lines: Vec<&str> = DEFAULT_FILE.lines().collect();
        for pair in lines.windows(2) {
            let is_setting = pair[1].starts_with('#') && !pair[1].starts_with("# ");
            assert!(!is_setting || pair[0].starts_with('#'), "{}", pair[1]);
        }
    }
}
