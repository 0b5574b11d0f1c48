//! The table of `runs`: whole where a program reads it, and fitted to a terminal.

use ::console::{Alignment, measure_text_width, pad_str, truncate_str};

/// The cells of a run, in the sequence of the columns.
pub type RunCells = [String; COLUMNS];

const COLUMNS: usize = 9;

/// A column.
struct Column {
    heading: &'static str,
    alignment: Alignment,
    /// How narrow its cells can be made on a terminal; `None` if they stay whole.
    least: Option<usize>,
}

const fn column(heading: &'static str, alignment: Alignment, least: Option<usize>) -> Column {
    Column { heading, alignment, least }
}

const TABLE: [Column; COLUMNS] = [
    column("RUN", Alignment::Left, None),
    column("STARTED", Alignment::Left, None),
    column("BY", Alignment::Left, Some(8)),
    column("PROFILE", Alignment::Left, Some(8)),
    column("STATE", Alignment::Left, None),
    column("ROWS", Alignment::Right, None),
    column("OPEN", Alignment::Right, None),
    column("EXIT", Alignment::Right, None),
    column("FILE", Alignment::Left, Some(12)),
];

/// What is left out first, where there is no room; the identifier has the time as well.
const LEAST_IMPORTANT: [&str; 4] = ["PROFILE", "BY", "STARTED", "FILE"];

/// What is shortened first, where there is no room.
const SHORTENED: [&str; 3] = ["FILE", "BY", "PROFILE"];

/// Two columns are this far apart.
const GAP: usize = 2;

/// The runs as a table with headings. In `room` columns, cells are shortened and columns left out
/// until it fits; identifier, state, rows and exit code stay.
pub fn run_table(mut lines: Vec<RunCells>, room: Option<usize>) -> String {
    lines.insert(0, TABLE.map(|column| column.heading.to_owned()));
    let widths: [usize; COLUMNS] = std::array::from_fn(|column| {
        lines.iter().map(|cells| measure_text_width(&cells[column])).max().unwrap_or_default()
    });
    let widths = room.map_or(widths.map(Some), |room| fitted(widths, room));
    lines.iter().map(|cells| line(cells, &widths)).collect()
}

fn line(cells: &RunCells, widths: &[Option<usize>; COLUMNS]) -> String {
    let mut line = String::new();
    for ((cell, width), column) in cells.iter().zip(widths).zip(&TABLE) {
        if let Some(width) = *width {
            line.push_str(&pad_str(&shortened(cell, width), width, column.alignment, None));
            line.push_str(&" ".repeat(GAP));
        }
    }
    format!("{}\n", line.trim_end())
}

/// The widths with which the table fits into this room; `None` for a column that is left out.
fn fitted(widths: [usize; COLUMNS], room: usize) -> [Option<usize>; COLUMNS] {
    let mut fitted = widths.map(Some);
    for left_out in [None].into_iter().chain(LEAST_IMPORTANT.map(Some)) {
        left_out.and_then(position).into_iter().for_each(|column| fitted[column] = None);
        let mut shorter = fitted;
        for column in SHORTENED.into_iter().filter_map(position) {
            let excess = total(&shorter).saturating_sub(room);
            if let (Some(width), Some(least)) = (shorter[column], TABLE[column].least) {
                shorter[column] = Some(width.min(least.max(width.saturating_sub(excess))));
            }
        }
        if total(&shorter) <= room {
            return shorter;
        }
    }
    fitted
}

fn position(heading: &str) -> Option<usize> {
    TABLE.iter().position(|column| column.heading == heading)
}

/// How wide the table is.
fn total(widths: &[Option<usize>]) -> usize {
    let shown = widths.iter().flatten();
    shown.clone().sum::<usize>() + GAP * shown.count().saturating_sub(1)
}

/// The text in at most this many columns: its beginning and its end.
fn shortened(text: &str, width: usize) -> String {
    if measure_text_width(text) <= width {
        return text.to_owned();
    }
    let kept = width.saturating_sub(1);
    let mut end = text;
    while measure_text_width(end) > kept / 2 {
        let mut letters = end.chars();
        letters.next();
        end = letters.as_str();
    }
    let begin = kept.saturating_sub(measure_text_width(end));
    format!("{}…{end}", truncate_str(text, begin, ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cells(cells: &str) -> RunCells {
        let cells: Vec<String> = cells.split('|').map(str::to_owned).collect();
        cells.try_into().unwrap()
    }

    fn nights() -> Vec<RunCells> {
        vec![
            cells(
                "20261126-010000-04a8|2026-11-26 01:00|cardcancel|production|running, 20/s|12,345 of 25,000|0||orders-2026-11-26.csv",
            ),
            cells(
                "20261125-010000-d792|2026-11-25 01:00|cardcancel|production|settled|31|0|3|orders-2026-11-25.csv",
            ),
        ]
    }

    #[test]
    fn without_a_terminal_and_where_there_is_room_the_table_is_whole() {
        let whole = run_table(nights(), None);
        insta::assert_snapshot!(whole, @r"
        RUN                   STARTED           BY          PROFILE     STATE                      ROWS  OPEN  EXIT  FILE
        20261126-010000-04a8  2026-11-26 01:00  cardcancel  production  running, 20/s  12,345 of 25,000     0        orders-2026-11-26.csv
        20261125-010000-d792  2026-11-25 01:00  cardcancel  production  settled                      31     0     3  orders-2026-11-25.csv
        ");
        assert_eq!(run_table(nights(), Some(200)), whole);
    }

    #[test]
    fn where_there_is_less_room_cells_are_shortened_and_columns_left_out() {
        insta::assert_snapshot!(run_table(nights(), Some(120)), @r"
        RUN                   STARTED           BY         PROFILE     STATE                      ROWS  OPEN  EXIT  FILE
        20261126-010000-04a8  2026-11-26 01:00  card…ncel  production  running, 20/s  12,345 of 25,000     0        orders…6.csv
        20261125-010000-d792  2026-11-25 01:00  card…ncel  production  settled                      31     0     3  orders…5.csv
        ");
        insta::assert_snapshot!(run_table(nights(), Some(80)), @r"
        RUN                   STATE                      ROWS  OPEN  EXIT  FILE
        20261126-010000-04a8  running, 20/s  12,345 of 25,000     0        orders…26.csv
        20261125-010000-d792  settled                      31     0     3  orders…25.csv
        ");
    }

    #[test]
    fn nothing_is_wider_than_the_terminal_and_what_matters_most_stays() {
        let large = "20261126-010000-04a8|2026-11-26 01:00|a.very.long.user.name@directory|production-east|running, 200/s|1,234,567 of 2,500,000|1,234,567|3|дата-カード-取消-2026-11-26-a-very-long-name.csv";
        for room in 80..200 {
            let table = run_table(vec![cells(large)], Some(room));
            for line in table.lines() {
                assert!(measure_text_width(line) <= room, "{room}: {line}");
            }
            for cell in ["20261126-010000-04a8", "running, 200/s", "1,234,567  ", "   3"] {
                assert!(table.contains(cell), "{room}: {table}");
            }
        }
        assert!(run_table(nights(), Some(40)).contains("settled"));
    }
}
