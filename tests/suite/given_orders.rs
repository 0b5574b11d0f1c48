//! No order is sent that the file does not give: files of all kinds that spreadsheets, scripts,
//! transfers and people produce, each checked and run by the real program, and compared with the
//! server's record of the orders it received.
use std::collections::BTreeSet;
use std::io::Write;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::common::{TestEnv, TestSimulator};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::Value;

/// The number of inputs run in parallel: most of the time is spent waiting for disks.
const AT_ONCE: usize = 4;

/// A file, and what may be sent from it.
struct GivenFile {
    name: String,
    bytes: Vec<u8>,
    flags: Vec<String>,
    reading: Reading,
}

/// The expected reading of a file.
enum Reading {
    /// Row by row: its order, `-` for one that is invalid, `=` for one with an earlier order.
    Rows(String),
    /// The file as a whole is refused.
    Refused,
}

/// Every file, by its topic.
#[derive(Default)]
struct Inputs(Vec<GivenFile>);

impl Inputs {
    fn add(&mut self, name: &str, bytes: impl AsRef<[u8]>, reading: Reading) -> &mut GivenFile {
        let (name, bytes) = (name.to_owned(), bytes.as_ref().to_vec());
        self.0.push(GivenFile { name, bytes, flags: Vec::new(), reading });
        self.0.last_mut().unwrap()
    }

    fn reads(&mut self, name: &str, bytes: impl AsRef<[u8]>, rows: &str) -> &mut GivenFile {
        self.add(name, bytes, Reading::Rows(rows.to_owned()))
    }

    fn refuses(&mut self, name: &str, bytes: impl AsRef<[u8]>) -> &mut GivenFile {
        self.add(name, bytes, Reading::Refused)
    }
}

impl GivenFile {
    fn with(&mut self, flags: &[&str]) {
        self.flags = flags.iter().map(|flag| (*flag).to_owned()).collect();
    }
}

fn inputs() -> Vec<GivenFile> {
    let mut inputs = Inputs::default();
    plain(&mut inputs);
    delimiters(&mut inputs);
    line_ends(&mut inputs);
    quotes(&mut inputs);
    numbers(&mut inputs);
    unseen(&mut inputs);
    widths(&mut inputs);
    headers(&mut inputs);
    around_the_rows(&mut inputs);
    spreadsheets(&mut inputs);
    results(&mut inputs);
    no_csv(&mut inputs);
    large(&mut inputs);
    cut_short(&mut inputs);
    compressed(&mut inputs);
    inputs.0
}

fn plain(on: &mut Inputs) {
    on.reads(
        "two rows",
        "AdminNumber,CardSequenceNumber\n129409,1\n129410,2\n",
        "129409/1 129410/2",
    );
    on.reads("columns the other way round", "seq,admin\n1,129409\n", "129409/1");
    on.reads("columns among others", "a,Seq,b,Admin,c\nx,1,y,129409,z\n", "129409/1");
    on.reads("names as people write them", "admin_number;Card Sequence-Number\n5;6\n", "5/6");
    on.reads("the same order twice", "admin,seq\n1,1\n01,1\n1,2\n", "1/1 = 1/2");
    on.reads("named columns", "konto,karte,admin,seq\n1,2,3,4\n", "1/2")
        .with(&["--admin-column=konto", "--sequence-column=karte"]);
}

fn delimiters(on: &mut Inputs) {
    on.reads("semicolons", "admin;seq\n1;1\n", "1/1");
    on.reads("tabs", "admin\tseq\n1\t1\n", "1/1");
    on.reads("bars", "admin|seq\n1|1\n", "1/1");
    on.reads("a delimiter that is named", "admin|seq\n1|1\n", "1/1").with(&["--delimiter=|"]);
    on.refuses("a wrong delimiter that is named", "admin;seq\n1;1\n").with(&["--delimiter=,"]);
    on.refuses("colons", "admin:seq\n1:1\n");
    on.refuses("blanks", "admin seq\n1 1\n");
    on.refuses("columns of a fixed width", "admin      seq\n129409      1\n");
    on.reads("rows with another delimiter than the header", "admin,seq\n1;1\n2,1\n", "- 2/1");
    on.reads("a decimal comma beside semicolons", "admin;seq\n1,5;1\n2;1\n", "- 2/1");
    on.refuses("two delimiters in one header", "admin;seq,note\n1;2,x\n");
    on.reads("two bars at a time", "admin||seq\n1||1\n", "1/1");
    on.reads("blanks behind commas", "admin, seq\n1, 1\n", "1/1");
    on.reads("a line that says what separates", "sep=;\r\nadmin;seq;a,b\r\n1;1;2,3\r\n", "1/1");
    on.reads("such a line in quotes", "\"sep=|\"\nadmin|seq\n1|1\n", "1/1");
    on.refuses("such a line that is wrong", "sep=;\nadmin,seq\n1,1\n");
    on.refuses("such a line of two characters", "sep=;;\nadmin;;seq\n1;;1\n");
}

fn line_ends(on: &mut Inputs) {
    on.reads("CRLF", "admin,seq\r\n1,1\r\n2,1\r\n", "1/1 2/1");
    on.reads("CRLF and LF", "admin,seq\r\n1,1\n2,1\r\n", "1/1 2/1");
    on.refuses("CR alone", "admin,seq\r1,1\r2,1\r");
    on.reads("CR below an LF", "admin,seq\n1,1\r2,1\rx,1\r", "1/1 2/1 -");
    on.reads("LF before CR", "admin,seq\n\r1,1\n\r2,1\n\r", "1/1 2/1");
    on.reads("CR twice before LF", "admin,seq\r\r\n1,1\r\r\n2,1\r\r\n", "1/1 2/1");
    on.reads("blank lines", "\n\nadmin,seq\n\n1,1\n\n\n2,1\n\n", "1/1 2/1");
    on.reads("a line separator of Unicode", "admin,seq\n1,1\u{2028}2,1\n3,1\n", "- 3/1");
    on.reads("a next line of Unicode", "admin,seq\n1,1\u{85}2,1\n3,1\n", "- 3/1");
    on.reads("vertical tabs and form feeds", "admin,seq\n1,1\x0b2\n2\x0c,1\n3,1\n", "- - 3/1");
    on.reads("record separators", "admin,seq\n1,1\x1e2,1\n3,1\n", "- 3/1");
    on.reads("a number parted by a line end", "admin,seq,note\n1294\n09,1\n2,1,x\n", "- 9/1 2/1");
}

fn quotes(on: &mut Inputs) {
    on.reads("everything in quotes", "\"admin\",\"seq\"\n\"1\",\"1\"\n", "1/1");
    on.reads("a delimiter in quotes", "admin,note,seq\n1,\"a,2,3\",1\n", "1/1");
    on.reads("a quote in quotes", "admin,seq,note\n1,1,\"say \"\"2,2\"\"\"\n", "1/1");
    on.reads("a line end in quotes", "admin,seq,note\n1,1,\"two\nlines\"\n2,1,x\n", "1/1 2/1");
    on.reads("a line end in quotes between the keys", "admin,note,seq\n1,\"x\ny\",6\n", "1/6");
    on.reads("a line end in quotes before the keys", "note,admin,seq\n\"x\ny\",5,6\n", "5/6");
    on.reads("lines with commas in quotes", "admin,seq,note\n1,1,\"a, b\nc, d\"\n", "1/1");
    on.reads(
        "a line end within a number",
        "admin,seq\n\"129\n409\",1\n\"5\n\",1\n2,1\n",
        "- - 2/1",
    );
    on.reads("digits behind a quote", "admin,seq\n\"129409\"1,1\n129410,\"1\"2\n3,1\n", "- - 3/1");
    on.reads("letters, then digits behind a quote", "admin,seq\n\"1\"x2,1\n3,1\n", "- 3/1");
    on.reads("a blank, then digits behind a quote", "admin,seq\n\"1\" 2,1\n3,1\n", "- 3/1");
    on.reads("a blank behind a quote", "admin,seq\n\"1\" ,\"2\"\n", "1/2");
    on.reads("a blank before a quote", "admin,seq\n \"1\",1\n2, \"1\"\n3,1\n", "- - 3/1");
    on.reads("quotes in a number", "admin,seq\n12\"34\",1\n\"12\"\"34\",1\n3,1\n", "- - 3/1");
    on.reads(
        "two quoted numbers in one field",
        "admin,seq\n\"12\"\"34\"\"\",1\n\"1\"\"\",2\n",
        "- -",
    );
    on.reads("single quotes", "admin,seq\n'1','1'\n", "-");
    on.reads("curly quotes", "admin,seq\n“1”,“1”\n", "-");
    on.reads("inches", "admin,seq,note\n1,1,5\" disk\n2,1,x\n", "1/1 2/1");
    on.reads(
        "quotes escaped with a backslash",
        "admin,seq,note\n1,1,\"a \\\"b\\\", 2\"\n2,1,x\n",
        "- 2/1",
    );
    on.reads(
        "a backslash before a closing quote",
        "admin,seq,note\n1,1,\"a\\\"\n2,1,\"b\"\n",
        "1/1 2/1",
    );
    on.refuses("a quote that is not closed", "admin,seq,note\n1,1,x\n2,1,\"oops\n3,1,x\n");
    on.refuses("a quote closed by the next one", "admin,seq,note\n1,1,\"x\n2,1,\"y\"\n3,1,x\n");
    on.refuses("a quote in the header that is not closed", "admin,seq,\"note\n1,1,x\n");
    let ditto = "admin,seq,branch\n1,1,Boise\n2,1,\"\n3,1,\"\n4,1,Reno\n";
    on.reads("ditto marks in the last column", ditto, "1/1 - 4/1");
    let ditto = "branch,admin,seq\nBoise,1,1\n\",2,1\n\",3,1\nReno,4,1\n";
    on.reads("ditto marks in the first column", ditto, "1/1 - 4/1");
    let ditto = "admin,branch,seq\n1,Boise,1\n2,\",5\n3,\",6\n4,Reno,1\n";
    on.reads("ditto marks between the keys", ditto, "1/1 - 4/1");
    on.reads("ditto marks for a key", "admin,seq\n1,1\n\",2\n\",3\n4,1\n", "1/1 - 4/1");
    on.reads(
        "quotes that swallow a row",
        "admin,seq,note\n3,1,\"open\n4,1,closed\"\n5,1,x\n",
        "- 5/1",
    );
    let swallowed = "note,admin,seq\n\"open,1,1\nx,2,1\nclosed\",3,1\n";
    on.reads("quotes that swallow rows before the keys", swallowed, "-");
    let swallowed = "admin,seq,a,b\n1,1,\"x\n2,1,y\",z\n3,1,x,y\n";
    on.reads("quotes that swallow half a row", swallowed, "- 3/1");
    on.reads("quotes of CRLF rows", "admin,seq,note\r\n1,1,\"x\r\n2,1,y\"\r\n3,1,z\r\n", "- 3/1");
}

fn numbers(on: &mut Inputs) {
    on.reads("leading zeros", "admin,seq\n000000000000000000000129409,01\n", "129409/1");
    on.reads("zero", "admin,seq\n0,0\n", "0/0");
    let largest = "admin,seq\n9223372036854775807,2147483647\n9223372036854775808,1\n1,2147483648\n\
                   18446744073709551617,1\n1,4294967297\n340282366920938463463374607431768211457,1\n";
    on.reads("the largest", largest, "9223372036854775807/2147483647 - - - - -");
    let none = [
        "+1",
        "-1",
        "1-",
        "−1",
        "(1)", // parentheses of an accountant
        "1e5",
        "1.29409E+05",
        "129409.0",
        "129409.",
        ".5",
        "\"129409,0\"",
        "\"129,409\"",
        "129.409.001",
        "129 409",
        "129\u{a0}409",
        "129'409",
        "129_409",
        "\"1,29,409\"", // Indian lakhs
        "0x1F",
        "129409L", // digits of a programmer
        "١٢٣",
        "１２３",
        "12²",
        "Ⅳ",
        "ten",
        "1O9l", // letters that look like digits
        "129409 EUR",
        "#129409",
        "5%",
        "1-3",
        "1/2",
        "1;2",
        "2026-11-26",
        "12:30",
        "",
        "NULL",
        "NaN",
        "∞",
        "TRUE",
        "#N/A",
        "=1+1",
        "\"=\"\"129409\"\"\"",
        "'129409",
        "@1",
        "<b>1</b>",
        "${admin}",
        "1\u{7}",
        "1\u{7f}",
        "1\0",
        "1\u{0}2",
        "1\u{fffd}",
    ];
    let rows: String = none.map(|none| format!("7,{none}\n{none},7\n")).concat();
    let verdicts = "- ".repeat(2 * none.len());
    on.reads("what is no number", format!("admin,seq\n{rows}8,1\n"), &format!("{verdicts}8/1"));
    on.reads("bytes of Latin-1 in a number", b"admin,seq\n12\xa0409,1\n\xa05,1\n8,1\n", "- - 8/1");
    on.reads("a card number", "admin,seq\n4111111111111111,1\n8,1\n", "- 8/1");
    on.reads(
        "a card number beside the order",
        "admin,seq,note\n7,1,4111 1111 1111 1111\n8,1,x\n",
        "- 8/1",
    );
    on.reads(
        "a card number over columns",
        "admin,seq,a,b,c,d\n7,1,4111,1111,1111,1111\n8,1,,,,\n",
        "- 8/1",
    );
}

fn unseen(on: &mut Inputs) {
    on.reads("a byte order mark", "\u{feff}admin,seq\n1,1\n", "1/1");
    on.reads("two byte order marks", "\u{feff}\u{feff}admin,seq\n1,1\n", "1/1");
    on.reads("a byte order mark and quotes", "\u{feff}\"admin\",\"seq\"\n\"1\",\"1\"\n", "1/1");
    on.reads("a byte order mark before a number", "admin,seq\n\u{feff}1,1\n", "1/1");
    on.reads("blanks and tabs around", "admin,seq\n 1\t,\t 1 \n", "1/1");
    on.reads(
        "blanks of Unicode around",
        "\u{a0}admin,seq\u{3000}\n\u{a0}1\u{202f},\u{2003}1\n",
        "1/1",
    );
    on.reads(
        "characters of no width around",
        "admin,seq\n\u{200b}1\u{200d},\u{2060}1\u{200e}\n",
        "1/1",
    );
    on.reads(
        "characters of no width within",
        "admin,seq\n1\u{200b}2,1\n1,1\u{ad}2\n8,1\n",
        "- - 8/1",
    );
    on.reads(
        "digits shown from right to left",
        "admin,seq\n\u{202e}904921,1\n1,\u{202d}12\n8,1\n",
        "- - 8/1",
    );
    on.reads("the end of file of DOS", "admin,seq\n1,1\n\u{1a}", "1/1");
    on.reads("the end of file of DOS behind a number", "admin,seq\n1,1\n2,1\u{1a}", "1/1 -");
    on.reads("one NUL in a note", "admin,seq,note\n1,1,a\n2,1,b\0c\n3,1,d\n", "1/1 - 3/1");
    on.reads("a NUL behind a closing quote", "admin,seq\n\"1\"\0,1\n3,1\n", "- 3/1");
}

fn widths(on: &mut Inputs) {
    on.reads(
        "a comma too many before the keys",
        "amount,admin,seq,note\n12,34,129410,1,x\n5,6,7,8\n",
        "- 6/7",
    );
    on.reads(
        "a comma too few before the keys",
        "amount,admin,seq,note\n129412,2,3\n5,6,7,8\n",
        "- 6/7",
    );
    on.reads("a comma too many behind the keys", "admin,seq,note\n1,1,a,b\n2,1,x\n", "- 2/1");
    on.reads("empty fields too many", "admin,seq\n1,1,\n2,1\n", "- 2/1");
    on.reads("empty fields too few", "admin,seq,a,b\n1,1\n2,1,x\n3,1,,\n", "1/1 2/1 3/1");
    on.reads("empty fields too few between the keys", "admin,a,seq,b\n1,2,3\n4,5,6,\n", "- 4/6");
    on.reads("one field", "admin,seq\n129409\n2,1\n", "- 2/1");
    on.reads("a key that is missing", "admin,seq,note\n,1,x\n1,,x\n2,1,x\n", "- - 2/1");
    on.reads("thousands without quotes", "admin,seq\n129,409,1\n2,1\n", "- 2/1");
    on.reads("two orders in a row", "admin,seq\n1,1,2,1\n3,1\n", "- 3/1");
    on.reads("row names of R", "admin,seq,note\n\"1\",129409,1,x\n\"2\",129410,1,y\n", "- -");
    on.reads("row numbers of pandas", ",admin,seq\n0,129409,1\n1,129410,1\n", "129409/1 129410/1");
    on.reads("a delimiter behind every row", "admin,seq,\n1,1,\n2,1,\n", "1/1 2/1");
}

fn headers(on: &mut Inputs) {
    on.refuses("no header", "129409,1\n129410,1\n");
    on.refuses("a header without names of ours", "konto,karte\n1,1\n");
    on.refuses("a header with one of ours", "admin,karte\n1,1\n");
    on.refuses("a header alone", "admin,seq\n");
    on.refuses("two columns for the admin number", "admin,AdminNumber,seq\n1,2,1\n");
    on.refuses("two columns for the sequence number", "admin,seq,Sequence Number\n1,2,3\n");
    on.refuses("the same name twice", "admin,seq,seq\n1,2,3\n");
    on.refuses("a name that may mean the other", "Sequence,Admin Number,Card Seq No\n1,2,3\n");
    on.refuses("a name that counts rows", {
        let rows: String = (1..=12).map(|row| format!("{row},{}\n", 129_400 + 7 * row)).collect();
        format!("seq,admin\n{rows}")
    });
    on.refuses("one column for both", "admin,seq\n1,1\n")
        .with(&["--admin-column=admin", "--sequence-column=admin"]);
    on.refuses("a column that is named and not there", "admin,seq\n1,1\n")
        .with(&["--sequence-column=karte"]);
    on.refuses("the header again", "admin,seq\n1,1\nadmin,seq\n2,1\n");
    on.refuses("the header again, swapped", "admin,seq,x\n1,1,a\nseq,admin,x\n1,2,b\n");
    on.refuses(
        "the header again, written otherwise",
        "admin,seq\n1,1\nCard Sequence Number,AdminNumber\n1,2\n",
    );
    on.refuses(
        "the header again, with a byte order mark",
        "\u{feff}admin,seq\n1,1\n\u{feff}seq,admin\n1,2\n",
    );
    on.refuses(
        "the header again, with names like ours",
        "admin,seq\n1,1\nCard Seq. No.,Admin No.\n1,129409\n",
    );
    on.refuses("the header again, wider", "admin,seq\n1,1\nnote,seq,admin\nx,1,2\n");
    on.reads(
        "the header again, with another delimiter",
        "admin,seq\n1,1\nseq;admin\n1;2\n",
        "1/1 - -",
    );
    on.reads("a header with years", "AdminNumber,SequenceNumber,2024,2025\n1,1,3,4\n", "1/1");
    on.reads("a header over two lines", "\"admin\nnumber\",seq\n1,1\n", "1/1");
    on.refuses("a card number in the header", "admin,seq,4111111111111111\n1,1,x\n");
}

fn around_the_rows(on: &mut Inputs) {
    on.refuses("titles above the header", "Cancellations\nof November\nadmin,seq\n1,1\n");
    on.refuses("a comment above the header", "# admin and seq\nadmin,seq\n1,1\n");
    on.reads("comments among rows", "admin,seq\n#1,1\n# 2,1\n//3,1\n--4,1\n5,1\n", "- - - - 5/1");
    on.reads("a footer", "admin,seq,n\n1,1,x\n2 rows selected.\n", "1/1 -");
    on.reads("a sum", "admin,seq,n\n1,1,x\nTotal,1,\nSum:,,2\n", "1/1 - -");
    on.reads("a line of dashes", "admin,seq\n------,---\n1,1\n", "- 1/1");
    on.reads("rows of nothing", "admin,seq,n\n,,\n1,1,x\n , ,\t\n\"\",,\n", "1/1");
}

fn spreadsheets(on: &mut Inputs) {
    on.reads(
        "one number rounded, perhaps",
        "admin,seq\n9912140633506420,1\n",
        "9912140633506420/1",
    );
    let warned = "admin,seq\n9912140633506420,1\n8812140633507130,1\n";
    on.reads("two numbers rounded, perhaps", warned, "9912140633506420/1 8812140633507130/1");
    let rounded = "admin,seq\n991214063350642000,1\n881214063350713000,1\n1,1\n";
    on.refuses("numbers that a spreadsheet rounded", rounded);
    on.reads("guarded by hand", "admin,seq,note\n'1,1,x\n2,'1,x\n3,1,'x\n", "- - 3/1");
    on.reads(
        "formulas for text",
        "admin,seq\n\"=\"\"1\"\"\",\"=\"\"1\"\"\"\n=\"2\",1\n3,1\n",
        "- - 3/1",
    );
    on.reads("cleared rows", "admin;seq;n\r\n1;1;x\r\n;;\r\n;;\r\n", "1/1");
    on.reads("columns shifted by one cell", "admin,seq,note\n1,1,x\n,2,1\n3,1,y\n", "1/1 - 3/1");
}

fn results(on: &mut Inputs) {
    let ours = "admin,seq,row,status,error_code,message,http_status,attempts,doubt,first_sent_at,\
                ended_at\n1,1,1,cancelled,ERR01160,,200,1,false,,\n2,1,2,failed,,,503,1,false,,\n";
    on.refuses("results of ours", ours);
    on.refuses("results that a spreadsheet saved", ours.replace(',', ";").replace('\n', "\r\n"));
    on.reads("results that are all meant", ours, "1/1 2/1").with(&["--as-orders"]);
    on.reads("columns named as ours", "admin,seq,Status\n1,1,cancelled\n2,1,ACTIVE\n", "1/1 2/1");
    let invalid = "admin,seq,row,message\n,,1,\"5 fields; the line: \"\"1,1,x\"\"\"\n2,1,2,\n";
    on.reads("an invalid row of results", invalid, "- 2/1");
}

fn no_csv(on: &mut Inputs) {
    on.refuses("nothing", "");
    on.refuses("line ends alone", "\n\r\n\n");
    on.refuses("a byte order mark alone", "\u{feff}");
    on.refuses("a line that says what separates, alone", "sep=;\n");
    let utf_16 = |text: &str, order: fn(u16) -> [u8; 2]| -> Vec<u8> {
        text.encode_utf16().flat_map(order).collect()
    };
    let text = "admin,seq\n1,1\n";
    on.refuses("UTF-16", utf_16(&format!("\u{feff}{text}"), u16::to_le_bytes));
    on.refuses("UTF-16, the other way round", utf_16(&format!("\u{feff}{text}"), u16::to_be_bytes));
    on.refuses("UTF-16 without a mark", utf_16(text, u16::to_le_bytes));
    on.refuses("UTF-16 without a mark, the other way round", utf_16(text, u16::to_be_bytes));
    on.refuses(
        "UTF-32",
        text.chars().flat_map(|char| u32::from(char).to_le_bytes()).collect::<Vec<_>>(),
    );
    on.refuses("EBCDIC", b"\x81\x84\x94\x89\x95\x6b\xa2\x85\x98\x25\xf1\x6b\xf1\x25");
    on.refuses("a workbook", b"PK\x03\x04\x14\0\0\0admin,seq\n1,1\n");
    on.refuses("a web page", "<!DOCTYPE html>\n<p>admin,seq\n1,1\n");
    on.refuses("XML", "<?xml version=\"1.0\"?>\n<admin seq=\"1\">1</admin>\n");
    on.refuses("JSON", "[{\"admin\": 1, \"seq\": 1}]\n");
    on.refuses("lines of JSON", "{\"admin\": 1, \"seq\": 1}\n{\"admin\": 2, \"seq\": 1}\n");
    on.refuses("a PDF", "%PDF-1.7\nadmin,seq\n1,1\n");
    on.refuses("a NUL in the header", "admin,se\0q\n1,1\n");
}

/// Cases far from the start of a file, where its blocks are read separately.
fn large(on: &mut Inputs) {
    let filler = "x".repeat(2000);
    let many: String = (101..=300).map(|row| format!("{row},1,{filler}\n")).collect();
    let orders = (101..=300).map(|row| format!("{row}/1")).collect::<Vec<_>>().join(" ");
    let far = |rows: &str| format!("admin,seq,note\n{many}{rows}");
    let reads = |rows: &str| format!("{orders} {rows}");
    on.reads("far down: digits behind a quote", far("\"1\"2,1,x\n3,1,x\n"), &reads("- 3/1"));
    on.reads("far down: a NUL", far("1,1,\0\n3,1,x\n"), &reads("- 3/1"));
    on.reads("far down: rows in quotes", far("1,1,\"x\n2,1,y\"\n3,1,x\n"), &reads("- 3/1"));
    on.reads("far down: no line end", far("1,1,x\n2,1,x"), &reads("1/1 -"));
    on.refuses("far down: a header", far("1,1,x\nseq,admin,note\n1,2,x\n"));
    on.refuses("far down: a quote that is not closed", far("1,1,\"x\n3,1,x\n"));
    let note = "x".repeat(100_000);
    on.reads("a long note", format!("admin,seq,note\n1,1,{note}\n2,1,\n"), "1/1 2/1");
    on.reads("a long number", format!("admin,seq\n{},1\n2,1\n", "1".repeat(1000)), "- 2/1");
    on.refuses("a row without end", format!("admin,seq,note\n1,1,{}\n2,1,\n", note.repeat(20)));
    let columns =
        (0..2000).fold("admin,seq".to_owned(), |names, column| format!("{names},c{column}"));
    on.reads("many columns", format!("{columns}\n1,1\n2,1{}\n", ",".repeat(2000)), "1/1 2/1");
}

/// The same file, cut at every position of its last row.
fn cut_short(on: &mut Inputs) {
    for (name, whole, first) in [
        ("a plain file", "admin,seq,note\n129409,1,x\n129410,23,yz\n", 26),
        ("a file of CRLF", "admin,seq\r\n129409,1\r\n129410,23\r\n", 21),
        ("a file in quotes", "\"admin\",\"seq\"\n\"129409\",\"1\"\n\"129410\",\"23\"\n", 27),
        ("a file with a note of two lines", "admin,seq,note\n129409,1,\n129410,23,\"a\nb\"\n", 25),
    ] {
        assert!(whole[..first].ends_with('\n') && whole[first..].contains("129410"));
        for end in first..=whole.len() {
            let cut = &whole[first..end];
            let name = format!("{name}, cut after {cut:?}");
            // Inside quotes it is unknown where the row would end.
            let open = cut.matches('"').count() % 2 == 1;
            match cut {
                _ if open => on.refuses(&name, &whole[..end]),
                "" => on.reads(&name, &whole[..end], "129409/1"),
                _ if cut.ends_with(['\r', '\n']) => {
                    on.reads(&name, &whole[..end], "129409/1 129410/23")
                }
                _ => on.reads(&name, &whole[..end], "129409/1 -"),
            };
        }
    }
    let unfinished = "admin,seq\n1,1\n2,1";
    on.reads("no line end, and as many rows as expected", unfinished, "1/1 2/1")
        .with(&["--expect-rows=2"]);
    on.refuses("fewer rows than expected", "admin,seq\n1,1\n2,1\n").with(&["--expect-rows=3"]);
    on.refuses("another digest than expected", unfinished)
        .with(&[&format!("--expect-sha256={}", "0".repeat(64))]);
    on.refuses("cut in the header", "admin,se");
    on.refuses("cut behind the header", "admin,seq");
}

fn compressed(on: &mut Inputs) {
    let text = "admin,seq\n1,1\n2,1\n";
    let packed = gzipped(text.as_bytes());
    on.reads("gzip", &packed, "1/1 2/1");
    on.reads(
        "gzip in two parts",
        [gzipped(b"admin,seq\n1,"), gzipped(b"1\n2,1\n")].concat(),
        "1/1 2/1",
    );
    on.reads("gzip of a file cut short", gzipped(&text.as_bytes()[..text.len() - 1]), "1/1 -");
    on.refuses("gzip of gzip", gzipped(&packed));
    on.refuses("gzip, with something behind it", [&packed[..], b"3,1\n"].concat());
    on.refuses("gzip of nothing", gzipped(b""));
    for left in [1, 4, 8, 9, packed.len() - 12, packed.len() - 4] {
        let name = format!("gzip that lacks its last {left} bytes");
        on.refuses(&name, &packed[..packed.len() - left]);
    }
    let mut damaged = packed;
    let sum = damaged.len() - 8;
    damaged[sum] ^= 1;
    on.refuses("gzip with a wrong sum", damaged);
}

fn gzipped(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

/// The result of a file.
struct Came {
    rows: usize,
    sent: usize,
    invalid: usize,
    refused: bool,
    /// What is wrong with it; `None` if nothing is.
    wrong: Option<String>,
}

/// Checks and runs a file against its own server.
fn check_and_run(input: &GivenFile) -> Came {
    let env = TestEnv::new();
    env.file("orders.csv", &input.bytes);
    let core_card = TestSimulator::perfect();
    let url = core_card.url();
    let flags: Vec<&str> = input.flags.iter().map(String::as_str).collect();
    let check = env.run(&[&["check", "orders.csv", "--json", "--url", &url], &flags[..]].concat());
    let run = env.cancel(&url, &flags);
    let reported = format!("{}\n{}", check.report(), run.report());

    let refused = run.code == Some(2);
    let asked = core_card.orders();
    let sent: BTreeSet<String> = asked
        .keys()
        .map(|order| format!("{}/{}", order.admin_number, order.sequence_number))
        .collect();
    let results = if refused { Vec::new() } else { statuses(&env.read("orders.results.csv")) };
    let planned = match check.code {
        Some(2) => 0,
        _ => serde_json::from_str::<Value>(&check.stdout).unwrap()["to_send"].as_u64().unwrap(),
    };
    let (given, rows) = match &input.reading {
        Reading::Refused => (BTreeSet::new(), None),
        Reading::Rows(rows) => {
            let row = |row: &str| if row.contains('/') { "+" } else { row }.to_owned();
            (orders_in(rows), Some(rows.split(' ').map(row).collect::<Vec<_>>().join(" ")))
        }
    };
    let read = (!refused).then(|| read(&results));
    let wrong = if sent != given {
        Some(format!("sent {sent:?}, given {given:?}"))
    } else if asked.values().any(|state| state.requests != 1) {
        Some("an order was sent more than once".to_owned())
    } else if read != rows {
        Some(format!("read as {read:?}, and not {rows:?}"))
    } else if planned != sent.len() as u64 {
        Some(format!("check said that {planned} would be sent, and {} were", sent.len()))
    } else if refused != (check.code == Some(2)) {
        Some("check and run do not refuse the same".to_owned())
    } else {
        None
    };
    Came {
        rows: results.len(),
        sent: sent.len(),
        invalid: results.iter().filter(|status| *status == "invalid").count(),
        refused,
        wrong: wrong.map(|wrong| format!("{}: {wrong}\n{reported}", input.name)),
    }
}

/// The orders among these rows.
fn orders_in(rows: &str) -> BTreeSet<String> {
    rows.split(' ').filter(|row| row.contains('/')).map(ToOwned::to_owned).collect()
}

/// The statuses in results with the delimiter of the file.
fn statuses(results: &[u8]) -> Vec<String> {
    let name = b"error_code";
    let at = results.windows(name.len()).position(|found| found == name).unwrap();
    let mut reader = csv::ReaderBuilder::new().delimiter(results[at - 1]).from_reader(results);
    let header = reader.byte_headers().unwrap();
    let status = header.iter().position(|found| found == b"status").unwrap();
    let status = |record: csv::ByteRecord| String::from_utf8(record[status].to_vec()).unwrap();
    reader.byte_records().map(|record| status(record.unwrap())).collect()
}

/// How each row was read: `+` for an order that was sent.
fn read(statuses: &[String]) -> String {
    let verdict = |status: &String| match status.as_str() {
        "cancelled" => "+".to_owned(),
        "invalid" => "-".to_owned(),
        "duplicate" => "=".to_owned(),
        other => other.to_owned(),
    };
    statuses.iter().map(verdict).collect::<Vec<_>>().join(" ")
}

#[test]
fn no_order_is_sent_that_the_file_does_not_give_and_check_says_how_many() {
    let inputs = inputs();
    let names: BTreeSet<&str> = inputs.iter().map(|input| input.name.as_str()).collect();
    assert_eq!(names.len(), inputs.len(), "two inputs have the same name");
    let (next, came) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(input) = inputs.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let this = check_and_run(input);
                    came.lock().unwrap().push(this);
                }
            });
        }
    });
    let came = came.into_inner().unwrap();
    let sum = |of: fn(&Came) -> usize| came.iter().map(of).sum::<usize>();
    println!(
        "{} inputs, {} refused as a whole; of the others {} rows: {} sent, {} invalid",
        came.len(),
        sum(|came| came.refused.into()),
        sum(|came| came.rows),
        sum(|came| came.sent),
        sum(|came| came.invalid),
    );
    let wrong: Vec<&str> = came.iter().filter_map(|came| came.wrong.as_deref()).collect();
    assert!(wrong.is_empty(), "{} of them went wrong:\n\n{}", wrong.len(), wrong.join("\n\n"));
    assert_eq!(came.len(), inputs.len());
}
