//! Links, the length of the README, and the width of code.

use std::path::Path;

use super::{Page, in_project, pages};

/// How many characters of code fit where the pages are read.
const WIDEST: usize = 118;

#[test]
fn the_readme_has_at_most_200_lines_and_links_every_page() {
    let readme = Page::at("README.md");
    let lines = readme.text.lines().count();
    assert!(lines <= 200, "{lines} lines");
    for page in pages().iter().skip(1) {
        assert!(readme.links().any(|link| link == page.path), "{} is not linked", page.path);
    }
}

#[test]
fn no_line_of_code_is_wider_than_a_page() {
    for page in pages().into_iter().chain(["samples/README.md", "benches/README.md"].map(Page::at))
    {
        for line in page.text.split("```").skip(1).step_by(2).flat_map(str::lines) {
            assert!(line.chars().count() <= WIDEST, "{}: {line}", page.path);
        }
    }
}

#[test]
fn every_link_leads_to_a_file_and_every_anchor_to_a_heading() {
    for page in pages().into_iter().chain(["samples/README.md", "benches/README.md"].map(Page::at))
    {
        for link in page.links() {
            let (file, heading) = link.split_once('#').unwrap_or((link, ""));
            let target = match file {
                "" => page.path.clone(),
                file => Path::new(&page.path).with_file_name(file).to_str().unwrap().to_owned(),
            };
            assert!(in_project(&target).exists(), "{}: {link}", page.path);
            let is_there = heading.is_empty() || Page::at(&target).anchors().contains(heading);
            assert!(is_there, "{}: {link}: no such heading", page.path);
        }
    }
}
