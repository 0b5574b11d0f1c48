use proptest::prelude::*;

use super::card_network::passes_luhn;
use super::columns::{columns_hold_card_number, may_be_grouped, may_be_parted};
use super::*;

/// Numbers that the networks publish for tests.
const CARDS: [&str; 17] = [
    "4111111111111111",
    "4222222222222",
    "5555555555554444",
    "2223003122003222",
    "378282246310005",
    "30569309025904",
    "36227206271667",
    "6011111111111117",
    "3530111333300000",
    "6200000000000005",
    "6759649826438453",
    "6304000000000000",
    "2200000000000053",
    "8171999900000000021",
    "8200000000000001",
    "6521111111111110",
    "135410014004955",
];

fn found(text: &str) -> bool {
    looks_like_card_number(text.as_bytes())
}

#[test]
fn every_networks_numbers_are_found() {
    for card in CARDS {
        assert!(found(card), "{card}");
    }
}

#[test]
fn a_number_is_found_however_it_is_written() {
    for text in [
        "4111 1111 1111 1111",
        "4111-1111-1111-1111",
        "41-11 11111  1111111",
        "3782 822463 10005",
        "0004111111111111111",
        "00000000000000004111111111111111",
        "0000 4111 1111 1111 1111",
        "card:4111111111111111.",
        "PAN4111 1111 1111 1111",
        "2024-01-15 4111111111111111",
        "4111 1111 1111 1111 12-27 123",
        "129409 1 4111 1111 1111 1111",
        "straße 4111111111111111 ü",
        "4111\u{a0}1111\u{202f}1111\u{2009}1111",
        "4111.1111.1111.1111",
        "4111/1111/1111/1111",
        "4111_1111_1111_1111",
        "4111–1111—1111−1111",
        "4111\t1111\t1111\t1111",
        "4111\r\n1111\r\n1111\r\n1111",
        "4111,1111,1111,1111",
        "4111 1111,1111 1111",
        "4111\u{200b}1111\u{feff}1111\u{2060}1111",
        "41·11·11·11·11·11·11·11",
        "4111 : 1111 : 1111 : 1111",
        "４１１１１１１１１１１１１１１１",
        "٤١١١ ١١١١ ١١١١ ١١١١",
        "४१११११११११११११११",
        "41111111111111111227",
        "4111111111111111122027",
        "41111111111111112712",
        "3782822463100051227",
        "4111 1111 1111 11111227",
        "4111111111111111=27121010000",
    ] {
        assert!(found(text), "{text}");
    }
}

#[test]
fn other_numbers_are_left_alone() {
    for text in [
        "4111111111111112",
        "129409",
        "411111111111",
        "41111111111111111111111111111111",
        "9111111111111111",
        "+49 170 1234567",
        "490154203237518",
        "2024-01-15T08:30:00Z",
        "f47ac10b-58cc-4372-a567-0e02b2c3d479",
        "0000000000000000",
        "41111111111111111327",
        "41111111111111111250",
        "2026-11-22 09:09:28.973609",
        "192.168.100.200, 192.168.100.201",
        "Order 129409/1, 129410/2",
    ] {
        assert!(!found(text), "{text}");
    }
}

#[test]
fn each_number_is_removed_and_the_rest_kept() {
    assert_eq!(
        redact("ä 4111 1111 1111 1111, then 378282246310005 (ok)"),
        "ä [card number removed], then [card number removed] (ok)"
    );
    assert_eq!(redact("order 129409/1"), "order 129409/1");
    assert_eq!(
        redact("ä\u{200b}４１１１\u{a0}1111\u{200b}–1111 ١١١١\u{200b} ö"),
        "ä\u{200b}[card number removed]\u{200b} ö"
    );
    assert_eq!(redact("41111111111111111227 x"), "[card number removed] x");
}

#[test]
fn a_number_over_neighbouring_columns_is_found_where_it_is_parted_as_on_cards() {
    let found = |raw: &str| fields_hold_card_number(raw.split([',', ';', '\t']).map(str::as_bytes));
    for raw in [
        "1,1,4111,1111,1111,1111",
        "1;1;\"4111\";\"1111\";\"1111\";\"1111\";x",
        "1\t1\t3782\t822463\t10005",
        "1,1,4111 1111,1111 1111",
        "1,1,4111,,- ,1111,1111,11111227",
        "1,1,41\u{200b}11,１１１１,1111,1111\u{a0}",
        "4111,1111,1111,1111,1,x",
    ] {
        assert!(found(raw), "{raw}");
    }
    for raw in ["41111111,11111111", "4111111111111111,1", "4111,111,11111,1111", "129409,1,x"] {
        assert!(!found(raw), "{raw}");
    }
}

#[test]
fn rows_with_numbers_beside_a_date_are_not_looked_at_whole() {
    let row = ["129409", "1", "Smith 12", "1831", "2026-11-01", "0049 1234 567"];
    let fields = || row.iter().map(|field| field.as_bytes());
    assert!(may_be_parted(fields()));
    assert!(!may_be_grouped(fields()));
}

#[test]
fn a_long_field_of_nothing_but_zeros_and_spaces_takes_no_time() {
    assert!(!found(&"0 ".repeat(500_000)));
    assert!(!found(&"1 ".repeat(500_000)));
}

prop_compose! {
    /// A network's prefix, random digits, and the check digit that makes it a card.
    fn card()(
        (prefix, length) in prop::sample::select(vec![
            ("4", 13), ("4", 16), ("4", 19), ("51", 16), ("55", 16), ("2221", 16), ("2720", 16),
            ("34", 15), ("37", 15), ("300", 14), ("305", 16), ("36", 14), ("38", 19), ("39", 14),
            ("6011", 16), ("644", 16), ("65", 19), ("3528", 16), ("3589", 19), ("62", 17),
            ("50", 13), ("56", 12 + 2), ("58", 18), ("67", 19),
        ]),
        random in "[0-9]{19}",
    ) -> String {
        let body: String = prefix.chars().chain(random.chars()).take(length - 1).collect();
        let passing = (0..10).map(|check| format!("{body}{check}")).find(|card| {
            let digits: Vec<u8> = card.bytes().map(|byte| byte - b'0').collect();
            passes_luhn(&digits)
        });
        passing.unwrap_or_default()
    }
}

proptest! {
    #[test]
    fn any_card_is_found_in_any_plain_surroundings(
        card in card(),
        zeros in "0{0,6}",
        separators in prop::collection::vec(prop::sample::select(vec!["", "", "", "", " ", "-", ".", "/", "_", "\t", "\n", ",", "\u{a0}", "–", "\u{200b}"]), 19),
        before in "[a-zA-Zäß.,:;/ ]{0,8}[.,:;/]?",
        after in "[.,:;/]?[a-zA-Zäß.,:;/ ]{0,8}",
    ) {
        let mut text = format!("{before}{zeros}{card}{after}");
        prop_assert!(looks_like_card_number(text.as_bytes()));
        prop_assert!(!redact(&text).contains(&card));

        text = zeros;
        for (digit, separator) in card.chars().zip(separators) {
            text.push_str(separator);
            text.push(digit);
        }
        prop_assert!(looks_like_card_number(text.as_bytes()), "{}", text);
    }

    #[test]
    fn a_quick_look_misses_no_number_over_columns(
        card in card(),
        sizes in prop::sample::select(vec![&[4, 4, 4, 4][..], &[4, 4, 4, 4, 3], &[4, 6, 5], &[4, 6, 4]]),
        parts in prop::collection::vec(prop::sample::select(vec![",", ",", " ", "-", ",,", ", \u{a0},", "\u{200b},", ",\"x\",", "\",\""]), 5),
        expiry in prop::sample::select(vec!["", "1227", "122027"]),
        around in "[a-z0-9, ü\u{200b}]{0,6}",
    ) {
        let mut text = format!("{around},");
        let mut digits = card.chars();
        for (at, (size, part)) in sizes.iter().zip(parts).enumerate() {
            text.extend(digits.by_ref().take(*size));
            text.push_str(if at + 1 == sizes.len() { expiry } else { "" });
            text.push_str(part);
        }
        text.extend(digits.chain(around.chars()));
        let fields = text.split(',').map(str::as_bytes);
        let is_in_one = text.split(',').any(|field| columns_hold_card_number(field.as_bytes()));
        let expected = columns_hold_card_number(text.as_bytes());
        prop_assert!(is_in_one || fields_hold_card_number(fields) == expected, "{text}");
    }

    #[test]
    fn any_bytes_can_be_asked_about(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        looks_like_card_number(&bytes);
    }

    #[test]
    fn nothing_is_left_to_find_after_redaction(text in "[0-9 \\-aä.,٤\u{a0}\u{200b}]{0,120}") {
        prop_assert!(!looks_like_card_number(redact(&text).as_bytes()));
    }
}
