//! Seals as texts.

use proptest::option;
use proptest::prelude::*;

use super::*;
use crate::audit::testing::start;
use crate::model::Status;

fn digest(of: &str) -> Digest {
    Digest::new(of)
}

fn offset(ahead_tenths: i64, within_tenths: Option<u64>) -> Option<SealedOffset> {
    Some(SealedOffset { ahead_tenths, within_tenths })
}

fn sealed() -> Seal {
    Seal {
        ledger: "6f1c0c9e-0b7f-4c58-8a39-8a3c2f1f7d11".parse().unwrap(),
        number: 42,
        previous: digest("41"),
        run: "20261122-091020-6f4f".parse().unwrap(),
        state: SealedState::Ended,
        continues: Some(Continued { number: 41, as_it_was: true }),
        input: SealedInput { digest: digest("input"), rows: 99, name: "orders.csv".to_owned() },
        rows: SealedLines { lines: 99, digest: digest("rows") },
        attempts: SealedLines { lines: 103, digest: digest("attempts") },
        events: SealedLines { lines: 12, digest: digest("events") },
        configuration: Some(digest("configuration")),
        results: Some(SealedFile {
            digest: digest("results"),
            name: "orders.results.csv".to_owned(),
        }),
        counts: Counts::from_iter([
            (Status::Cancelled, 89),
            (Status::Rejected, 7),
            (Status::Invalid, 2),
            (Status::Duplicate, 1),
        ]),
        opened: "2026-11-22T09:10:20.412093Z".parse().unwrap(),
        finished: "2026-11-22T09:10:26.118204Z".parse().ok(),
        by: (&start(7)).into(),
        purpose: start(7).purpose,
        clock: SealedClock { is_synchronized: Some(true), offset: offset(4, None) },
        program: SealedProgram {
            version: "0.2.0".parse().unwrap(),
            executable: Some(digest("program")),
        },
    }
}

#[test]
fn the_text_of_version_1_is_frozen() {
    assert_eq!(sealed().to_text(), include_str!("golden/full.seal"));
    let mut plain = sealed();
    (plain.number, plain.previous, plain.continues) = (1, Digest::ZERO, None);
    plain.state = SealedState::Stopped("CUT_OFF".to_owned());
    (plain.configuration, plain.results, plain.finished) = (None, None, None);
    plain.counts = Counts::default();
    plain.by = SealedBy::Worker("alice@batch1, process 3".to_owned());
    plain.purpose = Purpose::default();
    plain.clock = SealedClock::default();
    plain.program.executable = None;
    assert_eq!(plain.to_text(), include_str!("golden/plain.seal"));
    let mut bounded = sealed();
    bounded.clock = SealedClock { is_synchronized: None, offset: offset(-13, Some(6)) };
    assert_eq!(bounded.to_text(), include_str!("golden/bounded_clock.seal"));
}

#[test]
fn every_seal_that_was_ever_written_reads_back() {
    for text in [
        include_str!("golden/full.seal"),
        include_str!("golden/plain.seal"),
        include_str!("golden/bounded_clock.seal"),
    ] {
        let seal: Seal = text.parse().unwrap();
        assert_eq!(seal.to_text(), text);
        assert_eq!(seal.digest(), digest(text));
    }
}

#[test]
fn a_text_without_one_of_its_lines_is_no_seal() {
    let text = sealed().to_text();
    let lines: Vec<&str> = text.lines().collect();
    for missing in 0..lines.len() {
        let mut lines = lines.clone();
        lines.remove(missing);
        let shorter = lines.join("\n") + "\n";
        assert!(shorter.parse::<Seal>().is_err(), "without line {}", missing + 1);
    }
}

#[test]
fn a_line_that_is_repeated_moved_or_added_is_refused_by_its_number() {
    let text = sealed().to_text();
    let added = format!("{text}note x\n").parse::<Seal>();
    assert_eq!(added, Err(ParseSealError::NotCanonical { number: 21 }));
    let repeated = text.replace("number 42\n", "number 42\nnumber 42\n").parse::<Seal>();
    assert_eq!(repeated, Err(ParseSealError::Line { number: 4, key: "previous" }));
    let newer = text.replace("seal 1", "seal 2").parse::<Seal>();
    assert_eq!(newer, Err(ParseSealError::UnknownForm));
}

#[test]
fn a_value_that_is_written_in_another_way_is_refused() {
    let text = sealed().to_text();
    for (from, to) in [
        ("number 42", "number 042"),
        ("number 42", "number +42"),
        ("number 42", "number 42 "),
        ("\n", "\r\n"),
        ("\"orders.csv\"", "\"orders\\u002ecsv\""),
        ("cancelled 89", "cancelled 80 cancelled 9"),
        ("cancelled 89", "cancelled 89 failed 0"),
        ("rejected 7 invalid 2", "invalid 2 rejected 7"),
        ("412093Z", "412093000Z"),
        ("412093Z", "412093+00:00"),
        ("0.4 s ahead", "00.4 s ahead"),
        ("0.4 s ahead of", "0.0 s behind"),
        (", unit", ",  unit"),
    ] {
        assert!(text.contains(from), "{from}");
        assert!(text.replace(from, to).parse::<Seal>().is_err(), "{to:?}");
    }
    let upper = sealed().previous.to_string().to_uppercase();
    assert!(text.replace(&sealed().previous.to_string(), &upper).parse::<Seal>().is_err());
    assert!(text.trim_end().parse::<Seal>().is_err(), "its last LF is missing");
}

#[test]
fn what_the_clock_line_states_includes_both_bounds() {
    let between = |least: i64, most: i64| {
        let duration = SignedDuration::from_millis;
        let SealedOffset { ahead_tenths, within_tenths } =
            SealedOffset::between(duration(least), duration(most));
        (ahead_tenths, within_tenths.unwrap())
    };
    assert_eq!(between(390, 410), (4, 1));
    assert_eq!(between(400, 400), (4, 0));
    assert_eq!(between(-600, 450), (-1, 6));
    assert_eq!(between(10, 3_599_000), (17_995, 17_995));
    for least in (-2000..2000).step_by(37) {
        for most in (least..2000).step_by(41) {
            let (ahead, within) = between(least, most);
            let (ahead, within) = (ahead * 100, within as i64 * 100);
            assert!(ahead - within <= least && most <= ahead + within, "{least} to {most}");
            assert!(2 * within <= most - least + 300, "{least} to {most}: {within}");
        }
    }
}

#[test]
fn a_line_break_in_a_text_forges_no_line() {
    let mut seal = sealed();
    seal.input.name = "a\"\nrows 0 x\r\n\u{2028}\u{85}.csv".to_owned();
    seal.purpose.ticket = Some("\ncounts cancelled 99".to_owned());
    let text = seal.to_text();
    assert_eq!(text.lines().count(), sealed().to_text().lines().count());
    assert_eq!(text.parse(), Ok(seal));
}

#[test]
fn what_cannot_stand_without_quotes_is_no_word() {
    for text in ["", "a b", "a\nb", "é", "\"a\"", &"x".repeat(101)] {
        assert!(text.parse::<SealWord>().is_err(), "{text:?}");
    }
}

prop_compose! {
    fn any_time()(microsecond in -377_705_023_201_000_000i64..253_402_207_200_000_000) -> Timestamp {
        Timestamp::from_microsecond(microsecond).unwrap()
    }
}

prop_compose! {
    fn any_digest()(seed: u64) -> Digest { Digest::new(seed.to_string()) }
}

prop_compose! {
    fn any_lines()(lines: u64, digest in any_digest()) -> SealedLines {
        SealedLines { lines, digest }
    }
}

fn any_word() -> impl Strategy<Value = SealWord> {
    "[0-9A-Za-z._+-]{1,100}".prop_map(|word| word.parse().unwrap())
}

fn any_state() -> impl Strategy<Value = SealedState> {
    prop_oneof![
        Just(SealedState::Ended),
        Just(SealedState::Interrupted),
        any::<String>().prop_map(SealedState::Stopped),
        (any::<u64>(), any::<String>()).prop_map(|(lines, name)| {
            SealedState::Forgotten(SealedForgetting {
                at: "2026-11-27T01:02:03.000400Z".parse().unwrap(),
                kept: SealedLines { lines, digest: digest("kept") },
                export: SealedFile { digest: digest("manifest"), name },
            })
        }),
    ]
}

fn any_by() -> impl Strategy<Value = SealedBy> {
    let user = || any::<(u32, String)>().prop_map(|(uid, name)| SealedUser { uid, name });
    let process = (user(), option::of(user()), any::<String>(), any::<String>());
    prop_oneof![
        any::<String>().prop_map(SealedBy::Worker),
        process.prop_map(|(user, login, host, unit)| SealedBy::Process { user, login, host, unit }),
    ]
}

fn any_purpose() -> impl Strategy<Value = Purpose> {
    any::<(Option<String>, Option<String>, Option<String>)>()
        .prop_map(|(reason, requested_by, ticket)| Purpose { reason, requested_by, ticket })
}

prop_compose! {
    fn any_head()(
        words in (any_word(), any_word()),
        number: u64,
        previous in any_digest(),
        state in any_state(),
        continues: Option<(u64, bool)>,
        input in (any_digest(), any::<u64>(), any::<String>()),
    ) -> Seal {
        Seal {
            ledger: words.0,
            run: words.1,
            number,
            previous,
            state,
            continues: continues.map(|(number, as_it_was)| Continued { number, as_it_was }),
            input: SealedInput { digest: input.0, rows: input.1, name: input.2 },
            ..sealed()
        }
    }
}

prop_compose! {
    fn any_seal()(
        head in any_head(),
        lines in (any_lines(), any_lines(), any_lines()),
        digests in (option::of(any_digest()), option::of(any_digest())),
        results in option::of((any_digest(), any::<String>())),
        counts in prop::collection::vec(0..1u64 << 60, Status::ALL.len()),
        times in (any_time(), option::of(any_time())),
        by in any_by(),
        purpose in any_purpose(),
        clock in (any::<Option<bool>>(), option::of((i64::MIN + 1..i64::MAX, any::<Option<u64>>()))),
        version in any_word(),
    ) -> Seal {
        Seal {
            rows: lines.0,
            attempts: lines.1,
            events: lines.2,
            configuration: digests.0,
            results: results.map(|(digest, name)| SealedFile { digest, name }),
            counts: Status::ALL.into_iter().zip(counts).collect(),
            opened: times.0,
            finished: times.1,
            by,
            purpose,
            clock: SealedClock {
                is_synchronized: clock.0,
                offset: clock.1.and_then(|(ahead, within)| offset(ahead, within)),
            },
            program: SealedProgram { version, executable: digests.1 },
            ..head
        }
    }
}

proptest! {
    #[test]
    fn every_seal_reads_back_from_its_text(seal in any_seal()) {
        let text = seal.to_text();
        prop_assert_eq!(text.split('\n').count(), 21);
        prop_assert_eq!(text.parse(), Ok(seal));
    }

    #[test]
    fn no_byte_of_a_seal_can_change_unnoticed(at: prop::sample::Index, byte in 0..128u8) {
        let mut text = sealed().to_text().into_bytes();
        let at = at.index(text.len());
        let was = std::mem::replace(&mut text[at], byte);
        let text = String::from_utf8(text).unwrap();
        if let Ok(read) = text.parse::<Seal>() {
            // Another value may stand there, but it is then read as another.
            prop_assert_eq!(read == sealed(), byte == was);
        }
    }
}
