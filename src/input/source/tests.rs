//! What is taken for CSV, and what happens to a file that changes.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use tempfile::TempDir;

use super::*;
use crate::input::read_options::ReadOptions;
use crate::input::testing::{gzipped, lines};

const ORDERS: &[u8] = b"admin,seq\n129409,1\n129410,2\n";

/// A directory with one file in it.
fn file(name: &str, bytes: &[u8]) -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(name);
    fs::write(&path, bytes).unwrap();
    (directory, path)
}

fn opened(name: &str, bytes: &[u8]) -> Input {
    let (directory, path) = file(name, bytes);
    Input::open(&path, directory.path()).unwrap()
}

fn rows(input: &Input) -> Result<Vec<String>, InputError> {
    lines(input, &ReadOptions::default())
}

/// The refusal of a file, from opening it to its last row, without its directory.
fn refusal(bytes: &[u8]) -> String {
    let (directory, path) = file("orders.csv", bytes);
    let error = Input::open(&path, directory.path()).and_then(|input| rows(&input));
    short(&error.unwrap_err(), &directory)
}

fn short(error: &InputError, directory: &TempDir) -> String {
    error.to_string().replace(&format!("{}/", directory.path().display()), "")
}

#[test]
fn the_digest_is_that_of_the_bytes_as_given() {
    let input = opened("orders.csv", b"abc");
    insta::assert_snapshot!(input.digest().unwrap(), @"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    let zipped = gzipped(ORDERS);
    let input = opened("orders.csv.gz", &zipped);
    assert_eq!(input.digest().unwrap(), Digest::new(&zipped));
    assert_eq!(input.bytes(), zipped.len() as u64);
}

#[test]
fn the_stem_is_the_name_without_its_csv_endings() {
    for (name, stem) in [
        ("orders.csv", "orders"),
        ("orders.CSV.gz", "orders"),
        ("orders.gz", "orders"),
        ("orders.results.csv", "orders.results"),
        ("orders.2024.txt", "orders.2024"),
        ("orders", "orders"),
        (".csv", ".csv"),
    ] {
        let input = opened(name, ORDERS);
        assert_eq!((input.name(), input.stem()), (name, stem));
    }
}

#[test]
fn gzip_is_recognised_by_its_bytes_whatever_the_name() {
    let halves = [gzipped(b"admin,seq\n129409,1\n"), gzipped(b"129410,2\n")].concat();
    let plain = rows(&opened("orders.csv", ORDERS)).unwrap();
    assert_eq!(rows(&opened("orders.csv", &halves)).unwrap(), plain);
}

#[test]
fn a_file_that_is_unlinked_can_still_be_read_again() {
    let (directory, path) = file("orders.csv", ORDERS);
    let input = Input::open(&path, directory.path()).unwrap();
    let before = rows(&input).unwrap();
    drop(directory);
    assert_eq!(rows(&input).unwrap(), before);
    assert!(input.digest().is_ok());
}

#[test]
fn what_can_be_read_only_once_is_put_aside_in_a_private_directory() {
    let directory = tempfile::tempdir().unwrap();
    let spool = directory.path().join("a/spool");
    let input = Input::spool("stdin", ORDERS, &spool).unwrap();
    assert_eq!(spool.metadata().unwrap().permissions().mode() & 0o777, 0o700);
    assert_eq!(fs::read_dir(&spool).unwrap().count(), 0, "the file has no name");
    assert_eq!((input.name(), input.stem()), ("stdin", "stdin"));
    assert_eq!(rows(&input).unwrap(), rows(&input).unwrap());
    assert_eq!(input.digest().unwrap(), Digest::new(ORDERS));
}

#[test]
fn a_pipe_is_read_like_a_file() {
    let directory = tempfile::tempdir().unwrap();
    let (reader, mut writer) = io::pipe().unwrap();
    writer.write_all(ORDERS).unwrap();
    drop(writer);
    let path = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&reader));
    let input = Input::open(Path::new(&path), directory.path()).unwrap();
    assert_eq!(rows(&input).unwrap().len(), 2);
}

#[test]
fn a_spool_that_cannot_be_made_is_named() {
    let (directory, path) = file("not-a-directory", b"");
    let error = Input::spool("stdin", ORDERS, &path).unwrap_err();
    insta::assert_snapshot!(short(&error, &directory), @"stdin: cannot be copied to not-a-directory: File exists (os error 17); make room there");
}

#[test]
fn a_path_that_leads_to_no_file_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let open = |path: &Path| short(&Input::open(path, directory.path()).unwrap_err(), &directory);
    insta::assert_snapshot!(open(&directory.path().join("no.csv")), @"no.csv: no such file; check the path");
    fs::create_dir(directory.path().join("in")).unwrap();
    insta::assert_snapshot!(open(&directory.path().join("in")), @"in: is a directory; name a CSV file in it");
    fs::write(directory.path().join("plain"), "").unwrap();
    insta::assert_snapshot!(open(&directory.path().join("plain/x.csv")), @"plain/x.csv: cannot be opened (Not a directory (os error 20)); check the path and its permissions");
}

#[test]
fn an_empty_file_is_refused() {
    insta::assert_snapshot!(refusal(b""), @"orders.csv: is empty: there is nothing to cancel");
    for blank in [&b"\n\r\n \n"[..], b"\xef\xbb\xbf", b"\xef\xbb\xbf\n", &gzipped(b"")] {
        assert_eq!(refusal(blank), refusal(b""));
    }
}

#[test]
fn what_is_not_csv_is_called_what_it_is() {
    insta::assert_snapshot!(refusal(b"\xff\xfea\0d\0m\0"), @r#"orders.csv: is UTF-16 text; save it as UTF-8 (in a spreadsheet: "CSV UTF-8")"#);
    assert_eq!(refusal(b"a\0d\0m\0"), refusal(b"\xfe\xff\0a\0d\0m"));
    insta::assert_snapshot!(refusal(b"PK\x03\x04\0\0"), @r#"orders.csv: is a workbook or a ZIP archive; save the sheet as "CSV UTF-8""#);
    insta::assert_snapshot!(refusal(b"\x7fELF\x02\0\0\0"), @"orders.csv: is not text: it has NUL bytes near its start; give a CSV file");
    for (bytes, what) in [
        (&b"<!DOCTYPE html>\n<html></html>\n"[..], "is a web page (HTML)"),
        (b"\xef\xbb\xbf <html>", "is a web page (HTML)"),
        (b"<?xml version=\"1.0\"?>\n<a/>\n", "is an XML document"),
        (b"[{\"AdminNumber\":1}]", "is JSON"),
        (b"{\n  \"orders\": []}", "is JSON"),
        (b"%PDF-1.7\n", "is a PDF document"),
        (b"\x28\xb5\x2f\xfd\x01\x01", "is compressed (zstd)"),
        (b"BZh91AY", "is compressed (bzip2)"),
        (&gzipped(&gzipped(ORDERS)), "is compressed (gzip, twice)"),
        (b"\x81\x84\x94\x89\x95\x5e\xa2\x85\x98\x0d\x25\xf1\x5e\xf1\x0d\x25", "is EBCDIC text"),
    ] {
        assert!(refusal(bytes).contains(what), "{}", refusal(bytes));
    }
    for bytes in [&b"[admin],seq\n"[..], "größe;äöü\n1;1\n".as_bytes(), b"\xe4\xf6;seq\n1;1\n"]
    {
        assert!(refusal(bytes).contains("no column"), "{}", refusal(bytes));
    }
    insta::assert_snapshot!(refusal(b"admin,seq\r1,1\r"), @"orders.csv: has lines that end in CR alone; save it with LF or CRLF line ends");
}

#[test]
fn a_line_that_says_what_separates_the_fields_is_obeyed_and_no_row() {
    for text in
        ["sep=;\r\nadmin;se,q;seq\r\n1;x;2\r\n", "\u{feff}\"SEP=;\"\nadmin;se,q;seq\n1;x;2\n"]
    {
        let input = opened("orders.csv", text.as_bytes());
        assert_eq!(rows(&input).unwrap(), ["1 (line 3): 1/2"]);
        assert_eq!(input.has_byte_order_mark(), text.starts_with('\u{feff}'));
    }
    assert_eq!(
        rows(&opened("orders.csv", b"sep=\nadmin|seq\n1|2\n")).unwrap(),
        ["1 (line 3): 1/2"]
    );
    insta::assert_snapshot!(refusal(b"sep=;\nadmin;seq\n1;1\n2;\"x\n"), @"orders.csv: a quote that opens in line 4 is not closed, so the rows after it cannot be separated; close it, or double it if it is part of the text");
}

#[test]
fn a_damaged_gzip_file_is_refused_wherever_the_damage_is() {
    let numbers: String = (0..100_000).map(|n| format!("{n},1\n")).collect();
    let whole = gzipped(format!("admin,seq\n{numbers}").as_bytes());
    let cut = &whole[..whole.len() - 9];
    insta::assert_snapshot!(refusal(cut), @"orders.csv: is a damaged gzip file (incomplete deflate stream); fetch it again from its source");
    for damaged in [&whole[..5], &whole[..200], &[&whole[..], b"x"].concat()] {
        assert!(refusal(damaged).contains("is a damaged gzip file"), "{}", refusal(damaged));
    }
    let mut wrong_sum = whole.clone();
    let at = wrong_sum.len() - 6;
    wrong_sum[at] ^= 1;
    assert!(refusal(&wrong_sum).contains("is a damaged gzip file"));
}

#[test]
fn a_file_that_changes_while_it_is_read_is_refused() {
    let (directory, path) = file("orders.csv", ORDERS);
    let input = Input::open(&path, directory.path()).unwrap();
    fs::OpenOptions::new().append(true).open(&path).unwrap().write_all(b"129411,3\n").unwrap();
    let error = rows(&input).unwrap_err();
    insta::assert_snapshot!(short(&error, &directory), @"orders.csv: is still being written; start again when it is complete");
    assert!(input.digest().is_err());
    fs::write(&path, "admin,seq\n1,1\n").unwrap();
    let error = rows(&input).unwrap_err();
    insta::assert_snapshot!(short(&error, &directory), @"orders.csv: changed while it was read; start again when it is complete");
}

#[test]
fn a_card_number_in_the_files_name_is_not_repeated() {
    let input = opened("4111111111111111.csv", ORDERS);
    assert_eq!(input.name(), "[card number removed].csv");
}
