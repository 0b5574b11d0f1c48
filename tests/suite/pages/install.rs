//! What docs/install.md states about the Rust version and the Debian package.

use super::{Page, in_project};

#[test]
fn the_rust_version_that_is_shown_is_the_one_that_is_needed() {
    let needed = format!("Rust {} or newer", env!("CARGO_PKG_RUST_VERSION"));
    for page in ["README.md", "docs/install.md"].map(Page::at) {
        assert!(page.text.contains(&needed), "{}: {needed}", page.path);
    }
}

#[test]
fn the_debian_package_holds_files_that_exist_and_every_unit_that_is_listed() {
    let manifest: toml::Table = Page::at("Cargo.toml").text.parse().unwrap();
    let assets = manifest["package"]["metadata"]["deb"]["assets"].as_array().unwrap();
    let sources: Vec<&str> = assets.iter().map(|asset| asset[0].as_str().unwrap()).collect();
    // Files in target are built by samples/debian/build.
    for source in sources.iter().filter(|source| !source.starts_with("target/")) {
        let path = source.trim_end_matches("*.md");
        assert!(in_project(path).exists(), "{source}");
    }
    let page = Page::at("docs/install.md");
    let section = page.section("## Debian package");
    let units = section.split('`').filter(|span| {
        [".service", ".timer"]
            .iter()
            .any(|kind| span.starts_with("cardcancel") && span.ends_with(kind))
    });
    let mut seen = 0;
    for unit in units {
        assert!(sources.contains(&format!("samples/{unit}").as_str()), "{unit}");
        seen += 1;
    }
    assert!(seen >= 3, "only {seen} units were found");
}
