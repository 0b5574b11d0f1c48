//! The layers, one upon the other.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use super::defaults::defaults;
use super::environment::environment;
use super::file::{File, Section};
use super::options::Options;
use super::places;
use super::surroundings::Surroundings;

/// All that is set: defaults < file < profile < environment < flags.
pub fn layered(flags: Options, surroundings: &Surroundings) -> anyhow::Result<Section> {
    let above = flags.or(environment(surroundings)?);
    let below = match read(above.config.as_deref(), surroundings)? {
        Some(file) => file.section(above.profile.as_deref())?,
        None if above.profile.is_some() => {
            bail!("--profile names a table of the configuration file, and there is no such file")
        }
        None => Section::default(),
    };
    Ok(Section { options: above.or(below.options).or(defaults()?), ..below })
}

/// The file that was named, else the first that is there, if any is.
fn read(named: Option<&Path>, surroundings: &Surroundings) -> anyhow::Result<Option<File>> {
    let candidates: Vec<PathBuf> = match named {
        Some(path) => vec![path.to_owned()],
        None => {
            let here = surroundings.directory.join("cardcancel.toml");
            std::iter::once(here).chain(places::user_config(surroundings)).collect()
        }
    };
    for path in candidates {
        let name = path.display().to_string();
        match std::fs::read_to_string(&path) {
            Ok(text) => return File::parse(&name, &text).map(Some),
            Err(error) if error.kind() == ErrorKind::NotFound && named.is_none() => {}
            Err(error) => {
                return Err(error).with_context(|| format!("cannot read the configuration {name}"));
            }
        }
    }
    Ok(None)
}
