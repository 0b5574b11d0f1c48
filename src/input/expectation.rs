//! Holds a file against what is expected of it: its number of rows and its checksum.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::error::{InputError, InputErrorKind};
use super::proof::{Expected, Proof};
use super::source::Input;
use crate::hash::Digest;

/// The most that is read of a file with a checksum.
const LONGEST: u64 = 64 * 1024;

impl Input {
    /// Holds the file against what is known of it: its digest at once, its rows as soon as
    /// they are counted (see [`Input::refuse_other_rows`]). A checksum in `ORDERS.csv.sha256`
    /// beside the file at `path` must match, whether it was asked for or not.
    ///
    /// # Errors
    /// When the file is another than expected, or the checksum cannot be read.
    pub fn expect(&mut self, expected: &Expected, path: &Path) -> Result<(), InputError> {
        let mut proof = expected.rows.map(|_| Proof::Rows);
        if let Some(digest) = expected.digest {
            self.refuse_other_digest(&[digest], "--expect-sha256")?;
            proof = Some(Proof::Digest);
        }
        if path != Path::new("-") {
            let sidecar = beside(path);
            let place = sidecar.display().to_string();
            let digests = read(&sidecar).map_err(|error| {
                self.refuse(InputErrorKind::Checksum {
                    path: place.clone(),
                    error: error.to_string(),
                })
            })?;
            if let Some(digests) = digests {
                self.refuse_other_digest(&digests, &place)?;
                proof = Some(Proof::Digest);
            }
        }
        self.expected_rows = expected.rows;
        self.proof = proof;
        Ok(())
    }

    /// What shows that the file is whole, if anything does.
    pub fn proof(&self) -> Option<Proof> {
        self.proof
    }

    /// Refuses the file if it has another number of rows than was expected.
    ///
    /// # Errors
    /// With both numbers.
    pub fn refuse_other_rows(&self, rows: u64) -> Result<(), InputError> {
        match self.expected_rows {
            Some(expected) if u64::from(expected) != rows => {
                Err(self.refuse(InputErrorKind::OtherRows { rows, expected }))
            }
            _ => Ok(()),
        }
    }

    fn refuse_other_digest(&self, expected: &[Digest], place: &str) -> Result<(), InputError> {
        let digest = self.digest()?;
        if expected.contains(&digest) {
            return Ok(());
        }
        let expected: Vec<String> = expected.iter().map(ToString::to_string).collect();
        let (place, expected) = (place.to_owned(), expected.join(" or "));
        Err(self.refuse(InputErrorKind::OtherDigest { digest, place, expected }))
    }
}

/// Where the checksum of a file is looked for.
fn beside(path: &Path) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(".sha256");
    name.into()
}

/// The digests in a file, if there is one.
fn read(path: &Path) -> io::Result<Option<Vec<Digest>>> {
    let file = match File::open(path) {
        Err(error) if is_absent(&error) => return Ok(None),
        file => file?,
    };
    let mut text = String::new();
    file.take(LONGEST).read_to_string(&mut text)?;
    let lines = text.trim_start_matches('\u{feff}').lines().filter(|line| !line.trim().is_empty());
    let digests: Vec<Digest> = lines.map(digest_in).collect::<Result<_, _>>()?;
    if digests.is_empty() { Err(io::Error::other("it is empty")) } else { Ok(Some(digests)) }
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// The digest in a line as `sha256sum` writes it, with or without `--tag`, or alone.
fn digest_in(line: &str) -> io::Result<Digest> {
    let line = line.trim();
    let tagged = line.strip_prefix("SHA256 (").and_then(|rest| rest.rsplit_once(") = "));
    let digest = match tagged {
        Some((_, digest)) => digest,
        None => {
            let first = line.split_whitespace().next().unwrap_or_default();
            // So it marks a name that it had to escape.
            first.strip_prefix('\\').unwrap_or(first)
        }
    };
    digest.parse().map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    #[test]
    fn every_form_of_sha256sum_is_read() {
        let digest: Digest = DIGEST.parse().unwrap();
        assert_eq!(digest.to_string(), DIGEST);
        assert_eq!(DIGEST.to_uppercase().parse(), Ok(digest));
        for line in [
            DIGEST.to_owned(),
            format!("{DIGEST}  orders.csv"),
            format!("{DIGEST} *orders.csv\r"),
            format!("\\{DIGEST}  orders\\n.csv"),
            format!("SHA256 (orders (1).csv) = {DIGEST}"),
        ] {
            assert_eq!(digest_in(&line).unwrap(), digest, "{line}");
        }
    }

    #[test]
    fn what_is_no_digest_is_refused() {
        for line in ["orders.csv", "abc", &DIGEST[1..], &format!("{DIGEST}0"), "SHA256 (a) = b"] {
            assert!(digest_in(line).is_err(), "{line}");
        }
        insta::assert_snapshot!("abc".parse::<Digest>().unwrap_err(), @r#""abc" is not a SHA-256 digest of 64 hexadecimal digits, as sha256sum prints it"#);
    }
}
