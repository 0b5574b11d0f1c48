//! Links, and the length of the README.

use std::path::Path;

use super::{Page, in_project, pages};

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
