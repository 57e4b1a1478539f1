//! Recall of `secrets`, `payment` and `identifiers`.

use std::collections::BTreeMap;

use crate::filter::{Pack, Shape};
use crate::{data, lines, strings};

/// Goal for the share of labelled secrets that are gone, in percent; and for the share of kinds that reach as much.
const GOAL: f64 = 95.0;

#[test]
fn secrets_of_225_kinds_are_found() {
    let Some(data) = data() else { return };
    let mut pack = Pack::named("secrets");
    let (mut kinds, mut altered, mut harmless) = (BTreeMap::new(), 0, 0);
    for row in lines(&data.join("secrets/gitleaks.jsonl.gz")) {
        let kind = row["rule"].as_str().expect("a name").to_owned();
        let secrets = row["positive_secret"].as_array().expect("a list").clone();
        let (all, found): &mut (u32, u32) = kinds.entry(kind).or_default();
        for (text, secret) in row["positive"].as_array().expect("a list").iter().zip(secrets) {
            // Two kinds have texts without a secret in them: the name of a file, the name of a type.
            let Some(text) = text.as_str().filter(|text| !text.is_empty() && *text != "\"type\": \"service_account\"")
            else {
                continue;
            };
            let left = pack.filter(Shape::Body, text);
            *all += 1;
            *found +=
                u32::from(secret.as_str().map_or(left.trim_end() != text.trim_end(), |secret| is_gone(secret, &left)));
        }
        for text in strings(&row["negative"]).iter().filter(|text| !text.trim().is_empty()) {
            harmless += 1;
            altered += u32::from(pack.filter(Shape::Body, text).trim_end() != text.trim_end());
        }
    }
    kinds.retain(|_, (all, _)| *all > 0);
    let (all, found) = kinds.values().fold((0, 0), |sum, kind| (sum.0 + kind.0, sum.1 + kind.1));
    let reaching = kinds.values().filter(|(all, found)| f64::from(*found) >= GOAL / 100.0 * f64::from(*all)).count();
    for (kind, (all, found)) in &kinds {
        println!("{kind:<44} {found:>4} of {all:>4}{}", if found < all { "  <" } else { "" });
    }
    let share = 100.0 * f64::from(found) / f64::from(all);
    println!("all: {found} of {all} ({share:.2} %); {reaching} of {} kinds reach {GOAL} %", kinds.len());
    println!(
        "false positives: {altered} of {harmless} negatives altered (placeholders and other kinds' secrets are among them)"
    );
    assert!(share >= GOAL && reaching * 100 >= kinds.len() * 95);
}

/// Neither the secret nor its latter half stands in a text.
fn is_gone(secret: &str, text: &str) -> bool {
    let secret = secret.trim_matches(['"', '\'']);
    let half = secret.char_indices().nth(secret.chars().count() / 2).map_or(0, |(at, _)| at);
    !text.contains(secret) && !text.contains(&secret[half..])
}

#[test]
fn cards_accounts_phones_and_hardware_addresses_are_found() {
    let Some(data) = data() else { return };
    let (mut payment, mut identifiers) = (Pack::named("payment"), Pack::named("identifiers"));
    let cases = lines(&data.join("secrets/presidio_tests.jsonl.gz"));
    // With the share that must be found. Recognisers of bare digits are no rules of ours: they need a name before them.
    let judged = [("CREDIT_CARD", 95.0), ("IBAN_CODE", 95.0), ("MAC_ADDRESS", 95.0)];
    let shown = [
        "PHONE_NUMBER",
        "US_SSN",
        "UK_NINO",
        "ES_NIF",
        "ES_NIE",
        "IT_FISCAL_CODE",
        "SG_NRIC_FIN",
        "IN_PAN",
        "FI_PERSONAL_IDENTITY_CODE",
    ];
    for (entity, goal) in judged.into_iter().chain(shown.map(|entity| (entity, 0.0))) {
        let pack = if matches!(entity, "CREDIT_CARD" | "IBAN_CODE") { &mut payment } else { &mut identifiers };
        let (mut all, mut found, mut altered, mut none) = (0, 0, 0, 0);
        for case in cases.iter().filter(|case| case["entity"] == entity) {
            let text = case["text"].as_str().expect("a text");
            let left = pack.filter(Shape::Body, text);
            // Cards of airlines begin as clocks in microseconds do: they are none of the networks'.
            let is_airline = |value: &&str| entity == "CREDIT_CARD" && value.starts_with('1');
            let spans = case["spans"].as_array().into_iter().flatten().filter_map(|span| span[2].as_str());
            let spans: Vec<&str> = spans.filter(|value| !is_airline(value)).collect();
            all += spans.len();
            found += spans.iter().filter(|value| !left.contains(**value)).count();
            none += usize::from(spans.is_empty());
            altered += usize::from(spans.is_empty() && left.trim_end() != text.trim_end());
        }
        let share = 100.0 * found as f64 / all.max(1) as f64;
        println!("{entity:<28} {found:>4} of {all:>4} ({share:.1} %); {altered} of {none} negatives altered");
        assert!(all > 0 && share >= goal, "{entity}: {share:.1} %");
    }
}
