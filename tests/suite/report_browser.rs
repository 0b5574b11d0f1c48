//! The pages of `report` in a real browser: nothing is asked for, nothing runs, and everyone can
//! read them.

use std::io::Read;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use crate::common::{Browser, Look, TestEnv};
use crate::report::{hostile_run, mixed_run, newest_run};

/// Every look that a page must have: on a telephone and on a desk, in light and dark, and printed.
fn looks() -> Vec<Look> {
    let mut looks = Vec::new();
    for width in [390, 1280] {
        for is_dark in [false, true] {
            looks.push(Look { width, is_dark, is_print: false });
        }
    }
    // A sheet of A4 paper without its margins.
    looks.push(Look { width: 688, is_dark: false, is_print: true });
    looks
}

/// The pages of a run with hostile texts, of one with an outage, and of both as days.
fn pages(env: &TestEnv) -> Vec<PathBuf> {
    mixed_run(env);
    let ledger = rusqlite::Connection::open(env.ledger()).unwrap();
    let insert = "INSERT INTO event (run, start, at, kind, detail) SELECT run, number, started_at + ?1, ?2, 'refused' FROM start";
    for (at, kind) in [(1_000, "outage_began"), (3_000, "outage_ended"), (4_000, "throttled")] {
        ledger.execute(insert, (at, kind)).unwrap();
    }
    drop(ledger);
    let run = newest_run(env, &[]);
    env.run(&["report", &run, "-o", "mixed.html"]).exits(0);
    std::fs::remove_file(env.path("orders.results.csv")).unwrap();
    let run = hostile_run(env);
    env.run(&["report", &run, "-o", "hostile.html"]).exits(0);
    env.run(&["report", "--since", "2020-01-01", "-o", "days.html"]).exits(0);
    ["mixed.html", "hostile.html", "days.html"].map(|name| env.path(name)).to_vec()
}

/// The text of axe-core, which is not ours.
fn axe() -> String {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("target/axe/node_modules/axe-core/axe.min.js");
    std::fs::read_to_string(path).unwrap()
}

#[test]
#[ignore = "needs Chromium and axe-core: tests/run brings them"]
fn the_pages_are_quiet_fit_every_window_and_pass_axe() {
    let env = TestEnv::new();
    let mut browser = Browser::start();
    let axe = axe();
    for page in pages(&env) {
        for look in looks() {
            let shown = format!("{} {look:?}", page.display());
            browser.open(&page, look);
            assert_eq!(browser.console(), [""; 0], "{shown}");
            assert_eq!(browser.requests(), [format!("file://{}", page.display())], "{shown}");
            let overflow =
                "document.documentElement.scrollWidth - document.documentElement.clientWidth";
            assert_eq!(browser.evaluate(overflow), 0, "{shown} is wider than its window");
            browser.evaluate(&axe);
            let violations = browser.evaluate(
                "axe.run(document, { resultTypes: ['violations'] }).then(found => found.violations.map(one => [one.id, one.help, one.nodes.map(node => node.html.slice(0, 200)).slice(0, 3)]))",
            );
            assert_eq!(violations, Value::Array(Vec::new()), "{shown}");
            let open = "document.querySelectorAll('details').forEach(one => one.open = true)";
            browser.evaluate(open);
            assert_eq!(browser.evaluate(overflow), 0, "{shown} is wider than its window, opened");
        }
        let printed = browser.call("Page.printToPDF", serde_json::json!({}));
        assert!(printed["data"].as_str().unwrap().starts_with("JVBERi"), "it is no PDF");
    }
}

#[test]
#[ignore = "needs Chromium and axe-core: tests/run brings them"]
fn what_is_planted_in_a_page_by_hand_neither_runs_nor_asks_for_anything() {
    let env = TestEnv::new();
    mixed_run(&env);
    let run = newest_run(&env, &[]);
    env.run(&["report", &run, "-o", "page.html"]).exits(0);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let away = format!("http://{}", listener.local_addr().unwrap());
    let planted = format!(
        "<script>document.title = 'acted'</script><script src=\"{away}/a.js\"></script>\
         <img src=\"{away}/b.png\" onerror=\"document.title = 'acted'\">\
         <style>@import url(\"{away}/c.css\"); body {{ background: url(\"{away}/d.png\") }}</style>\
         <iframe src=\"{away}/e.html\"></iframe><link rel=\"stylesheet\" href=\"{away}/f.css\"></main>"
    );
    let page = env.text("page.html").replace("</main>", &planted);
    env.file("planted.html", page);
    let mut browser = Browser::start();
    let look = Look { width: 1280, is_dark: false, is_print: false };
    browser.open(&env.path("planted.html"), look);
    assert_eq!(browser.evaluate("document.title"), format!("Run {run}"));
    let console = browser.console();
    let refused = console.iter().filter(|line| line.contains("Content Security Policy")).count();
    assert!(refused >= 4, "{console:#?}");
    listener.set_nonblocking(true).unwrap();
    // Chromium connects for a frame before it asks whether it may load one, and then sends nothing.
    while let Ok((mut connection, _)) = listener.accept() {
        connection.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
        let mut sent = [0; 100];
        assert!(
            !connection.read(&mut sent).is_ok_and(|bytes| bytes > 0),
            "something was asked for"
        );
    }
}
