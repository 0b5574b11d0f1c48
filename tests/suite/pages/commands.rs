//! The command lines shown on the pages.

use super::{Page, pages};

/// The arguments of the program in a line of shell, if it starts the program.
fn words(line: &str) -> Option<Vec<String>> {
    let line = line.split(" # ").next()?.split(" > ").next()?.split(" 2>").next()?.trim();
    let line = line.strip_prefix("$ ").unwrap_or(line).trim_end_matches(" &");
    let start = line.rfind("cardcancel ").filter(|at| *at == 0 || line[..*at].ends_with(' '))?;
    Some(
        line[start..]
            .split_whitespace()
            .map(|word| word.trim_matches(['\'', '"']).to_owned())
            .collect(),
    )
}

/// The command lines of the program in the blocks of shell and in the code spans of a text.
fn command_lines(text: &str) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    let mut parts = text.split("```");
    while let Some(prose) = parts.next() {
        let spans = prose.split('`').skip(1).step_by(2);
        found.extend(spans.filter(|span| span.starts_with("cardcancel ")).filter_map(words));
        let Some(block) = parts.next() else { break };
        if let Some(block) = block.strip_prefix("sh\n").or(block.strip_prefix("text\n$ ")) {
            found.extend(block.replace("\\\n", " ").lines().filter_map(words));
        }
    }
    found
}

#[test]
fn every_command_line_in_the_pages_is_understood() {
    let mut seen = 0;
    for page in
        pages().into_iter().chain([Page::at("samples/README.md"), Page::at("benches/README.md")])
    {
        for line in command_lines(&page.text) {
            seen += 1;
            let shown = line.join(" ");
            if let Err(error) = cardcancel::cli::parse(line) {
                assert!(!error.use_stderr(), "{}: {shown}: {error}", page.path);
            }
        }
    }
    assert!(seen > 30, "only {seen} command lines were found");
}
