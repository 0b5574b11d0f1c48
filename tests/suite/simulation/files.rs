//! Files of orders, generated from a seed and damaged in transit in the ways that occur in
//! practice.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;

use cardcancel::model::Order;
use sha2::{Digest, Sha256};

use super::given;
use crate::common::Rng;

/// A file as it arrives.
pub struct OrderFile {
    pub name: String,
    pub text: Vec<u8>,
    pub delimiter: char,
    /// The names of the two columns of an order.
    pub admin: &'static str,
    pub sequence: &'static str,
    /// The content of the checksum file, if there is one.
    checksum: Option<String>,
    /// The damage, for display.
    pub damage: Damage,
    /// The orders that it gives.
    pub given: BTreeSet<Order>,
}

/// A kind of damage in transit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Damage {
    None,
    /// It is cut at any byte.
    CutShort,
    /// Its last line has no line end.
    Unfinished,
    /// The same, and its checksum shows that nothing is missing.
    ProvenWhole,
    /// Its checksum is that of the file before it was cut.
    ChecksumOfMore,
    /// It is cut, and another file follows.
    Joined,
    /// A header stands in its middle, and the columns after it are swapped.
    HeaderAgain,
    /// Rows lack their first field, or have one more before it.
    WrongWidth,
    /// Digits follow a closing quote.
    Glued,
    /// A quote is opened, and closed some rows further down, or never.
    Swallowed,
    /// A spreadsheet kept only fifteen digits of its numbers.
    Rounded,
    /// A spreadsheet reformatted a number.
    Reformatted,
    /// The column named like the sequence number counts the rows.
    Counted,
    /// A title stands above the header.
    Titled,
    /// A byte was lost.
    Nul,
}

const DAMAGES: [Damage; 14] = [
    Damage::CutShort,
    Damage::Unfinished,
    Damage::ProvenWhole,
    Damage::ChecksumOfMore,
    Damage::Joined,
    Damage::HeaderAgain,
    Damage::WrongWidth,
    Damage::Glued,
    Damage::Swallowed,
    Damage::Rounded,
    Damage::Reformatted,
    Damage::Counted,
    Damage::Titled,
    Damage::Nul,
];

impl Damage {
    /// Whether the program may omit orders that the file gives, or refuse it.
    pub fn is_none(self) -> bool {
        matches!(self, Damage::None | Damage::ProvenWhole)
    }
}

/// Some of the existing orders, each once. Their numbers have a common prefix, so that one that
/// is cut short is another order.
pub fn some_orders(rng: &mut Rng, most: u64) -> Vec<Order> {
    let count = 1 + rng.below(most);
    let order = |n: u64| {
        let short = 1000 + n as i64 / 3;
        let admin_number = [short, short * 100 + 7, short * 100_000 + 70_003][n as usize % 3];
        Order { admin_number, sequence_number: 1 + n as i32 % 2 }
    };
    let mut orders: Vec<Order> = (0..count).map(|_| order(rng.below(most * 2))).collect();
    orders.sort();
    orders.dedup();
    shuffle(&mut orders, rng);
    orders
}

fn shuffle<T>(items: &mut [T], rng: &mut Rng) {
    for last in (1..items.len()).rev() {
        items.swap(last, rng.below(last as u64 + 1) as usize);
    }
}

impl OrderFile {
    /// A file of these orders, damaged in half of the cases.
    pub fn of(name: String, mut orders: Vec<Order>, rng: &mut Rng) -> OrderFile {
        let damage = if rng.per_cent(50) {
            Damage::None
        } else {
            DAMAGES[rng.below(DAMAGES.len() as u64) as usize]
        };
        if damage == Damage::Rounded {
            // Fewer numbers could all end in zeros by chance.
            let long = |n: i64| 98_765_432_100_000_000 + n * 1237;
            let order = |n| Order { admin_number: long(n), sequence_number: 1 };
            orders = (1..10).map(order).collect();
        } else if rng.per_cent(30) {
            orders.push(orders[0]);
        }
        let mut table = Table::of(&orders, rng);
        let mut meant: BTreeSet<Order> = orders.iter().copied().collect();
        table.damage(damage, rng);
        let whole = table.text();
        let mut text = whole.clone();
        let mut checksum = None;
        match damage {
            Damage::CutShort | Damage::ChecksumOfMore | Damage::Joined => {
                let header = text.iter().position(|byte| *byte == b'\n').unwrap() + 1;
                let least = header + 1;
                text.truncate(least + rng.below((text.len() - least) as u64) as usize);
            }
            Damage::Unfinished | Damage::ProvenWhole => {
                text.truncate(text.trim_ascii_end().len());
            }
            _ => {}
        }
        if damage == Damage::Joined {
            let others = some_orders(rng, 20);
            meant.extend(&others);
            text.extend(table.with(&others).text());
        }
        match damage {
            Damage::ProvenWhole => checksum = Some(digest(&text)),
            Damage::ChecksumOfMore => checksum = Some(format!("{}  {name}\n", digest(&whole))),
            _ => {}
        }
        let is_proven = damage == Damage::ProvenWhole;
        let is_refused = damage == Damage::ChecksumOfMore && text != whole;
        let given = if is_refused {
            BTreeSet::new()
        } else {
            given::orders(&text, table.delimiter, is_proven, &meant)
        };
        let (admin, sequence) = (table.header[table.admin], table.header[table.sequence]);
        OrderFile {
            name,
            text,
            delimiter: table.delimiter,
            admin,
            sequence,
            checksum,
            damage,
            given,
        }
    }

    /// Writes it and its checksum into this folder.
    pub fn put(&self, folder: &Path) {
        std::fs::write(folder.join(&self.name), &self.text).unwrap();
        if let Some(checksum) = &self.checksum {
            std::fs::write(folder.join(format!("{}.sha256", self.name)), checksum).unwrap();
        }
    }
}

fn digest(text: &[u8]) -> String {
    Sha256::digest(text).iter().fold(String::new(), |mut hex, byte| {
        write!(hex, "{byte:02x}").unwrap();
        hex
    })
}

/// The content of a file before it is encoded.
#[derive(Clone)]
struct Table {
    header: Vec<&'static str>,
    rows: Vec<Vec<String>>,
    admin: usize,
    sequence: usize,
    delimiter: char,
    line_end: &'static str,
    begins: &'static str,
}

impl Table {
    fn of(orders: &[Order], rng: &mut Rng) -> Table {
        let (header, admin, sequence) = match rng.below(4) {
            0 => (vec!["AdminNumber", "CardSequenceNumber"], 0, 1),
            1 => (vec!["card_sequence_number", "Admin"], 1, 0),
            2 => (vec!["admin number", "sequence-number", "Branch"], 0, 1),
            _ => (vec!["Branch", "ADMIN", "CardSequenceNumber", "Floor"], 1, 2),
        };
        let table = Table {
            header,
            rows: Vec::new(),
            admin,
            sequence,
            delimiter: [',', ';', '\t'][rng.below(3) as usize],
            line_end: ["\n", "\r\n"][rng.below(2) as usize],
            begins: ["", "", "\u{feff}"][rng.below(3) as usize],
        };
        let mut table = table.with(orders);
        let dressed = |field: &mut String, how| match how {
            0 => *field = format!("\"{field}\""),
            1 => *field = format!(" {field}"),
            2 => *field = format!("000{field}"),
            _ => {}
        };
        for row in &mut table.rows {
            for key in [admin, sequence] {
                dressed(&mut row[key], rng.below(12));
            }
        }
        table
    }

    /// The same with rows of these orders.
    fn with(&self, orders: &[Order]) -> Table {
        let row = |order: &Order| {
            // The other columns could be mistaken for the keys.
            let mut row = vec!["1".to_owned(); self.header.len()];
            row[self.admin] = order.admin_number.to_string();
            row[self.sequence] = order.sequence_number.to_string();
            row
        };
        Table { rows: orders.iter().map(row).collect(), ..self.clone() }
    }

    fn text(&self) -> Vec<u8> {
        let delimiter = self.delimiter.to_string();
        let mut text = format!("{}{}{}", self.begins, self.header.join(&delimiter), self.line_end);
        for row in &self.rows {
            text.push_str(&row.join(&delimiter));
            text.push_str(self.line_end);
        }
        text.into_bytes()
    }

    /// Damage that is applied before the text is written.
    fn damage(&mut self, damage: Damage, rng: &mut Rng) {
        let Table { admin, sequence, .. } = *self;
        let any = rng.below(self.rows.len() as u64) as usize;
        match damage {
            Damage::HeaderAgain => {
                let again = self.header.iter().map(|name| (*name).to_owned()).collect();
                self.rows.insert(any, again);
                self.rows[any..].iter_mut().for_each(|row| row.swap(admin, sequence));
            }
            Damage::WrongWidth => {
                // If a row begins with the keys, it is unknown whether its first field is missing
                // or its last, which was empty.
                let may_lack_its_last = admin.max(sequence) == 1 && self.header.len() > 2;
                for row in &mut self.rows[any..] {
                    match rng.below(3) {
                        0 => row.insert(0, "1".to_owned()),
                        1 if !may_lack_its_last => drop(row.remove(0)),
                        1 => drop(row.pop()),
                        _ => {}
                    }
                }
            }
            Damage::Glued => {
                let field = &mut self.rows[any][admin];
                let (begins, ends) = ("100", field.trim_matches(['"', ' ']).to_owned());
                *field = format!("\"{begins}\"{ends}");
            }
            Damage::Swallowed => {
                let last = self.header.len() - 1;
                self.rows[any][last].insert(0, '"');
                let further = any + rng.below(4) as usize;
                if further > any
                    && let Some(row) = self.rows.get_mut(further)
                {
                    row[last].push('"');
                }
            }
            Damage::Rounded => {
                for row in &mut self.rows {
                    let number: i64 = row[admin].trim_matches(['"', ' ']).parse().unwrap();
                    row[admin] = (number / 100 * 100).to_string();
                }
            }
            Damage::Reformatted => {
                for row in &mut self.rows[any..] {
                    let number = row[admin].trim_matches(['"', ' ']).to_owned();
                    row[admin] = match rng.below(7) {
                        0 => format!("{number}.0"),
                        1 => format!("{}E+03", &number[..3]),
                        2 => format!("\"{},{}\"", &number[..1], &number[1..]),
                        3 => format!("{number}-"),
                        4 => format!("+{number}"),
                        5 => format!("'{number}"),
                        _ => number,
                    };
                }
            }
            Damage::Counted => {
                // Ten rows at least, or it may be chance.
                while self.rows.len() < 10 {
                    let mut more = self.rows[0].clone();
                    more[admin] = (5000 + self.rows.len()).to_string();
                    self.rows.push(more);
                }
                self.header[sequence] = "CardSeqNo";
                self.header.push("Seq");
                for (row, number) in self.rows.iter_mut().zip(1..) {
                    row.push(i32::to_string(&number));
                }
            }
            Damage::Titled => self.begins = "Cards to cancel\n\n",
            Damage::Nul => {
                let column = rng.below(self.header.len() as u64) as usize;
                self.rows[any][column].push('\0');
            }
            _ => {}
        }
    }
}
