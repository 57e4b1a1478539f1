use super::*;

fn spec(regex: &str) -> PatternSpec {
    PatternSpec { regex: regex.into(), ..PatternSpec::default() }
}

fn build(specs: Vec<PatternSpec>) -> Patterns {
    let numbered = specs.into_iter().enumerate().map(|(i, spec)| PatternSpec { index: i as u16, ..spec }).collect();
    Patterns::build(numbered).expect("valid patterns")
}

fn find(patterns: &Patterns, text: &[u8]) -> Vec<(u16, usize, usize)> {
    let mut spans = Vec::new();
    let mut scratch = PatternScratch::default();
    // Twice, for what one text leaves behind must not touch the next.
    patterns.find_in(text, 0, text.len(), &mut scratch, &mut spans);
    let once = spans.clone();
    spans.clear();
    patterns.find_in(text, 0, text.len(), &mut scratch, &mut spans);
    assert_eq!(once, spans);
    let number = |span: &Span| match span.entity {
        Entity::Pattern(index) => (index, span.start as usize, span.end as usize),
        other => panic!("{other:?} of a pattern"),
    };
    let mut found: Vec<_> = spans.iter().map(number).collect();
    found.sort_unstable();
    found
}

/// What numbers look like, in forms without a literal.
const NUMBERS: [&str; 24] = [
    r"\b\d{3}-\d{2}-\d{4}\b",
    r"\b(?:4\d{3}(?:[ -]?\d{4}){3}|3[47]\d{2}[ -]?\d{6}[ -]?\d{5})\b",
    r"\b[A-Z]{2}\d{2}(?:[ -]?[A-Z0-9]{4}){2,7}(?:[ -]?[A-Z0-9]{1,3})?\b",
    r"\+[1-9]\d{0,2}[ .-]?(?:\(\d{1,5}\)[ .-]?)?\d(?:[ .-]?\d){5,12}\b",
    r"(?:^|[^\w:-])([0-9A-Fa-f]{2}(?:(?::[0-9A-Fa-f]{2}){5}|(?:-[0-9A-Fa-f]{2}){5}))(?:[^\w:-]|$|:[^\w]|:$)",
    r"\b[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}\b",
    r"\b(?:\d{8}-?|[XYZ]-?\d{7}-?)[A-Z]\b",
    r"\b\d{2} ?(?:0[1-9]|[12]\d|3[01])\d{2} ?[A-Z] ?\d{3}\b",
    r"\b[12][ .-]?\d{2}[ .-]?\d{3}[ .-]\d{2}\b",
    r"\d+",
    r"[0-9]{16}",
    r"x?\d{2,}y",
    r"(?:\d{4}|[a-f]{3}\d)$",
    r"^\d{2}",
    r"\B\d{3}\B",
    r"[a-f0-9]{6}",
    r"(?:ab|\d{2}|[a-c]{2}\d)+",
    r"\d{1,2}(?:st|nd)?\b",
    r"(?:A|\d)\d*-\d",
    r"(?m)^\d{2}:\d{2}$",
    r"\d{3}[^\d]\d{3}",
    r"[[:xdigit:]]{2}(?:-[[:xdigit:]]{2}){2}",
    r"(?:\d\.){3}\d",
    r"\bDE ?\d{3} ?\d{3} ?\d{3}\b|\bATU\d{8}\b",
];

/// The expressions alone, without any prefilter.
fn compiled(regexes: &[&str]) -> Vec<meta::Regex> {
    let config = regex_automata::util::syntax::Config::new().unicode(false).utf8(false);
    let build = |regex: &&str| meta::Regex::builder().syntax(config).build(regex).expect("valid");
    regexes.iter().map(build).collect()
}

/// What they find, widened to whole characters.
fn plain(regexes: &[meta::Regex], text: &[u8]) -> Vec<(u16, usize, usize)> {
    let mut found = Vec::new();
    for (index, regex) in regexes.iter().enumerate() {
        for m in regex.find_iter(text).filter(|m| !m.is_empty()) {
            let (start, end) = whole_characters(text, m.start(), m.end());
            found.push((index as u16, start, end));
        }
    }
    found.sort_unstable();
    found
}

const SHAPES: [&str; 22] = [
    "ghp_[0-9a-z]{4}",
    r"\bey[a-z0-9]{3,}\b",
    "(?i)api[_-]?key",
    "foo|bar|bazqux",
    "(?:foo|quux)[0-9]+",
    "x{3,5}y",
    "(ab){2}c",
    r"[a-c]+needle\d?",
    r"needle(?:[a-z]{0,3})end",
    "a.{0,4}zz9",
    r"^start\w+",
    r"\w+finish$",
    r"[0-9]{3}-[0-9]{2}",
    r"(?i:AKIA)[A-Z]{2}",
    "(?:a|b|cd)ef",
    "(?:key|token)(?:=|:)(?:x|yy)",
    "q?uestion",
    "needle.*end",
    "[xyz]foo[^a]",
    r"\Btok\B",
    "(?:)zzz9|aaa1",
    "f(?:o{2})?bar",
];

/// Numbers below what is asked for, the same ones for the same seed.
fn dice(seed: u64) -> impl FnMut(usize) -> usize {
    let mut state = seed;
    move |range| {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 33) as usize % range
    }
}

fn random_texts(count: usize) -> Vec<Vec<u8>> {
    const PIECES: [&[u8]; 40] = [
        b"ghp_",
        b"ab12",
        b"ey",
        b"abc",
        b"API",
        b"api_key",
        b"Key",
        b"-",
        b"foo",
        b"bar",
        b"bazqux",
        b"quux",
        b"7",
        b"xxx",
        b"y",
        b"abab",
        b"c",
        b"needle",
        b"end",
        b"a",
        b"zz9",
        b"start",
        b"finish",
        b"123",
        b"45",
        b"akia",
        b"QX",
        b"ef",
        b"token",
        b"=",
        b"yy",
        b"question",
        b" ",
        b"\n",
        b"tok",
        b"zzz9",
        b"aaa1",
        b"\xc3\xa9",
        b"_",
        b"z",
    ];
    let mut next = dice(11);
    (0..count)
        .map(|_| {
            let length = next(12);
            (0..length).flat_map(|_| PIECES[next(PIECES.len())].to_vec()).collect()
        })
        .collect()
}

#[test]
fn the_prefilter_changes_nothing_on_random_text() {
    let patterns = build(SHAPES.iter().map(|regex| spec(regex)).collect());
    let regexes = compiled(&SHAPES);
    let mut all = 0;
    for text in random_texts(4_000) {
        let wanted = plain(&regexes, &text);
        all += wanted.len();
        assert_eq!(find(&patterns, &text), wanted, "{}", String::from_utf8_lossy(&text));
    }
    assert!(all > 4_000, "the texts hardly ever match: {all}");
}

/// Texts of digits, letters and what stands between them, up to some hundred bytes.
fn random_numbers(count: usize) -> Vec<Vec<u8>> {
    const PIECES: [&[u8]; 46] = [
        b"1",
        b"12",
        b"123",
        b"1234",
        b"4111",
        b"07",
        b"31",
        b"3782",
        b"822463",
        b"10005",
        b"12345678",
        b"0",
        b"99",
        b" ",
        b"-",
        b".",
        b":",
        b"/",
        b"+",
        b"(",
        b")",
        b"=",
        b"_",
        b"\n",
        b"a",
        b"ab",
        b"de",
        b"f",
        b"ff",
        b"c0",
        b"X",
        b"Z",
        b"DE",
        b"GB",
        b"ATU",
        b"x",
        b"y",
        b"st",
        b"\xc3\xa9",
        b"078-05-1123",
        b"ac:de:48:00:11:22",
        b"acde.4800.1122",
        b"-22-4",
        b"2 89 789-63",
        b"\n12:31\n",
        b"1.2.3.4",
    ];
    let mut next = dice(5);
    let mut text = |pieces: usize| (0..next(pieces)).flat_map(|_| PIECES[next(PIECES.len())].to_vec()).collect();
    (0..count).map(|number| text(if number % 8 == 0 { 90 } else { 14 })).collect()
}

#[test]
fn runs_of_digits_change_nothing_on_random_numbers() {
    let regexes = compiled(&NUMBERS);
    let patterns = build(NUMBERS.iter().map(|regex| spec(regex)).collect());
    let alone: Vec<Patterns> = NUMBERS.iter().map(|regex| build(vec![spec(regex)])).collect();
    assert!(alone.iter().filter(|patterns| patterns.lazy.is_none()).count() >= 20, "hardly any has a trigger");
    let mut counts = [0_usize; NUMBERS.len()];
    for text in random_numbers(6_000) {
        let wanted = plain(&regexes, &text);
        wanted.iter().for_each(|(pattern, ..)| counts[usize::from(*pattern)] += 1);
        assert_eq!(find(&patterns, &text), wanted, "{}", String::from_utf8_lossy(&text));
        for (number, patterns) in alone.iter().enumerate() {
            let of_one: Vec<_> =
                wanted.iter().filter(|found| found.0 == number as u16).map(|f| (0, f.1, f.2)).collect();
            assert_eq!(find(patterns, &text), of_one, "{} in {}", NUMBERS[number], String::from_utf8_lossy(&text));
        }
    }
    for (number, count) in counts.iter().enumerate() {
        assert!(*count > 0, "{} never matches", NUMBERS[number]);
    }
}

#[test]
fn matches_in_long_texts_are_found_in_windows_as_in_the_whole() {
    let patterns = build(SHAPES.iter().map(|regex| spec(regex)).collect());
    let regexes = compiled(&SHAPES);
    for text in random_texts(4_000).chunks(400) {
        let text = text.concat();
        assert!(find(&patterns, &text) == plain(&regexes, &text), "{}", String::from_utf8_lossy(&text));
    }
}

#[test]
fn literals_are_taken_from_within_the_expression() {
    let literals = |regex: &str| {
        let mut all: Vec<String> = literal::required(&compile::parsed(regex), false)
            .into_iter()
            .flat_map(|found| found.literals)
            .map(|literal| String::from_utf8(literal.bytes).expect("ASCII"))
            .collect();
        all.sort();
        all
    };
    assert_eq!(literals(r"(?i)[\w.-]{0,50}?(?:adobe)(?:[ \t\w.-]{0,20})=([a-f0-9]{32})"), ["adobe"]);
    assert_eq!(literals("(?:A3T|AKIA|ASIA)[A-Z2-7]{16}").len(), 32 + 2, "a3t2 to a3tz");
    assert_eq!(literals("foo[_-]bar"), ["foo-bar", "foo_bar"]);
    assert_eq!(literals("[a-z]+xoxb?-[0-9]{10}"), ["xox-", "xoxb"], "short ones with what stands beside them");
    assert_eq!(literals(r"\b(?:hf|api_org)_[x-z]{9}"), ["api_org_", "hf_x", "hf_y", "hf_z"]);
    assert_eq!(literals(r"(?:ssn|bsn)[ =]\d"), ["bsn ", "bsn=", "ssn ", "ssn="]);
    assert_eq!(literals("[0-9]{16}"), [""; 0]);
    assert_eq!(literals("abc|[0-9]+"), [""; 0]);
}

#[test]
fn literals_know_how_far_into_a_match_they_stand() {
    for (regex, lead) in [
        (r"\bneedle_x{3}", (0, 0)),
        ("[0-9]{2,4}-?needle", (2, 5)),
        ("[a-c]+needle", (1, usize::MAX)),
        ("(?:x|[0-9]{3})(?:_?(needle)[0-9])", (1, 4)),
        ("[0-9]{2}(?:needle[0-9]?){1,3}", (2, 2)),
        ("[0-9][xyz]ab1[0-9]", (1, 1)),
    ] {
        let found = literal::required(&compile::parsed(regex), false).expect(regex);
        assert!(found.literals.iter().all(|literal| literal.lead == lead), "{regex}: {:?}", found.literals);
    }
}

#[test]
fn a_group_is_the_secret_and_validators_turn_down_what_does_not_hold() {
    let group = PatternSpec { group: 1, ..spec("password=([a-z]+)") };
    let card = PatternSpec { validators: vec![Validator::Luhn], ..spec(r"\b[0-9]{16}\b") };
    let entropy = PatternSpec { group: 1, validators: vec![Validator::Entropy(3.0)], ..spec("key=([a-z0-9]+)") };
    let patterns = build(vec![group, card, entropy]);
    assert_eq!(find(&patterns, b"password=secret;"), [(0, 9, 15)]);
    assert_eq!(find(&patterns, b"4111111111111111 4111111111111112"), [(1, 0, 16)]);
    assert_eq!(find(&patterns, b"key=aaaaaaaaaa key=a1b2c3d4e5"), [(2, 19, 29)]);
}

#[test]
fn a_pattern_with_keywords_asks_for_one_of_them_anywhere_in_any_case() {
    let with = |regex: &str| PatternSpec { keywords: vec!["Stripe".into(), "adyen".into()], ..spec(regex) };
    let patterns = build(vec![with("[0-9]{6}"), with("secret[0-9]")]);
    assert_eq!(find(&patterns, b"STRIPE 123456 secret1"), [(0, 7, 13), (1, 14, 21)]);
    assert_eq!(find(&patterns, b"123456 secret1"), []);
}

#[test]
fn case_is_ignored_where_asked_for_and_only_there() {
    let patterns = build(vec![PatternSpec { case_insensitive: true, ..spec("needle") }, spec("needle")]);
    assert_eq!(find(&patterns, b"NEEDLE needle"), [(0, 0, 6), (0, 7, 13), (1, 7, 13)]);
}

#[test]
fn unicode_is_there_for_expressions_that_need_it() {
    let patterns = build(vec![spec(r"straße\p{Lu}")]);
    assert_eq!(find(&patterns, "die straßeÄ".as_bytes()), [(0, 4, 13)]);
}

#[test]
fn errors_name_the_pattern_the_place_and_what_is_wrong() {
    let error = |spec_: PatternSpec| Patterns::build(vec![spec("fine"), spec_]).expect_err("wrong");
    let unclosed = error(spec("foo(bar"));
    assert_eq!((unclosed.spec, unclosed.offset), (1, Some(3)));
    assert!(unclosed.message.contains("unclosed group"), "{unclosed}");
    assert!(error(PatternSpec { group: 2, ..spec("(a)") }).message.contains("no group 2"));
    assert!(error(PatternSpec { keywords: vec![String::new()], ..spec("a") }).message.contains("empty"));
    assert!(error(spec("(?:[a-z]{1000}){1000}")).message.contains("more than 2 MiB"));
}

#[test]
fn patterns_without_a_literal_are_named_with_their_cost() {
    let patterns =
        build(vec![spec("needle"), spec("[0-9]+"), spec("[a-z]+ey"), spec(r"\b[0-9]{4}-[0-9]{4}"), spec("[a-z]+")]);
    let specs: Vec<usize> = patterns.cost_notes().iter().map(|note| note.spec).collect();
    assert_eq!(specs, [1, 2, 4]);
}

#[test]
fn a_text_that_exceeds_the_budget_is_reported_whole() {
    let specs = (0..200).map(|i| spec(&format!("lit{i:03}.*x"))).collect();
    let patterns = build(specs);
    let mut text: Vec<u8> = (0..200).flat_map(|i| format!("lit{i:03} ").into_bytes()).collect();
    text.resize(100_000, b'-');
    let found = find(&patterns, &text);
    assert!(found.iter().any(|&(_, start, end)| (start, end) == (0, text.len())), "{found:?}");
}

#[test]
fn offsets_are_those_of_the_buffer_and_nothing_beyond_the_text_is_seen() {
    let patterns = build(vec![spec("needle[0-9]+")]);
    let mut spans = Vec::new();
    patterns.find_in(b"needle1 needle23 needle4", 8, 15, &mut PatternScratch::default(), &mut spans);
    assert_eq!((spans[0].start, spans[0].end, spans.len()), (8, 15, 1));
}

#[test]
fn a_worker_may_go_on_with_other_patterns() {
    let mut scratch = PatternScratch::default();
    let mut spans = Vec::new();
    for (regex, text) in [("[0-9]{3}", "a 123"), ("[a-z]{4}|[0-9]{9}", "12 abcd"), ("[0-9]{3}", "9 456")] {
        let patterns = build(vec![spec(regex), spec("[A-Z]{7}")]);
        spans.clear();
        patterns.find_in(text.as_bytes(), 0, text.len(), &mut scratch, &mut spans);
        assert_eq!(spans.len(), 1, "{regex}");
    }
}
