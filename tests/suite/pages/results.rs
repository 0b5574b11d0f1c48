//! What docs/results.md lists: columns, statuses, codes.

use std::collections::BTreeSet;

use cardcancel::exit_code::ExitCode;
use cardcancel::model::{ReasonCode, Status};

use super::{Page, first_cells};

#[test]
fn every_error_code_of_our_own_is_listed_with_its_meaning() {
    let page = Page::at("docs/results.md");
    let listed = page.section("## Error codes");
    for (code, meaning) in ReasonCode::ALL {
        let row = format!("| `{code}` | {meaning} |");
        assert!(listed.contains(&row), "missing: {row}");
    }
    let codes: BTreeSet<String> =
        ReasonCode::ALL.iter().map(|(code, _)| code.to_string()).collect();
    let others: Vec<_> =
        first_cells(listed).into_iter().filter(|cell| !codes.contains(*cell)).collect();
    assert_eq!(others, ["HTTP_nnn", "code"]);
}

#[test]
fn every_status_is_listed() {
    let page = Page::at("docs/results.md");
    let listed = first_cells(page.section("## Statuses"));
    for status in Status::ALL {
        assert!(listed.contains(status.as_str()), "{status}");
    }
}

#[test]
fn every_exit_code_is_listed_and_no_other() {
    let page = Page::at("docs/results.md");
    let (section, _) = page.section("## Exit codes").split_once("\n\nWhen several hold").unwrap();
    let mut expected: BTreeSet<String> = BTreeSet::from(["code".to_owned()]);
    for (exit, meaning) in ExitCode::LIST {
        let code = (exit as u8).to_string();
        let row = format!("| {code} | {meaning} |");
        assert!(section.contains(&row), "missing: {row}");
        expected.insert(code);
    }
    let listed = first_cells(section);
    assert_eq!(listed.into_iter().map(str::to_owned).collect::<BTreeSet<_>>(), expected);
}

#[test]
fn every_result_column_is_listed_in_order() {
    let page = Page::at("docs/results.md");
    let mut rest = page.section("## Columns");
    for name in cardcancel::model::result_columns::RESULTS {
        let (_, after) = rest.split_once(&format!("\n| `{name}` |")).expect(name);
        rest = after;
    }
}
