//! The vendors' packs, each against the classes of values that it promises to keep in.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

use crate::filter::{Pack, Shape};
use crate::{Tally, data, lines, stands_in, strings};

/// A class of values that must stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Class {
    Address,
    Email,
    Host,
    CommandLine,
    HomeFolder,
    ResourceName,
    AccountNumber,
    BrowserDetail,
    CloudCredential,
    Card,
    User,
}

const PROMISES: [(&str, &[Class]); 5] = [
    (
        "server-agent",
        &[
            Class::Address,
            Class::Email,
            Class::Host,
            Class::CommandLine,
            Class::HomeFolder,
            Class::ResourceName,
            Class::AccountNumber,
            Class::User,
        ],
    ),
    ("dns-in-account", &[Class::Address, Class::Email, Class::Host, Class::ResourceName, Class::AccountNumber]),
    ("server-and-audit-logs", &[Class::Address, Class::Email, Class::Host, Class::BrowserDetail, Class::User]),
    ("platform-logs", &[Class::Address, Class::Email, Class::Host, Class::BrowserDetail, Class::Card]),
    (
        "devsecops-agent",
        &[
            Class::Address,
            Class::Email,
            Class::Host,
            Class::CommandLine,
            Class::ResourceName,
            Class::AccountNumber,
            Class::CloudCredential,
        ],
    ),
];

const SETS: [&str; 4] = [
    "crowdsec/crowdsec_labelled.jsonl",
    "ecs/ecs_dev_apache2.jsonl",
    "security_events/otrf_dev.jsonl",
    "security_events/panther_events.jsonl",
];

/// A text and the values in it, by what they are.
struct Case {
    text: String,
    is_document: bool,
    values: Vec<(Class, String)>,
}

#[test]
fn nothing_that_must_stay_leaves_server_agent() {
    judge(&PROMISES[0]);
}

#[test]
fn nothing_that_must_stay_leaves_dns_in_account() {
    judge(&PROMISES[1]);
}

#[test]
fn nothing_that_must_stay_leaves_server_and_audit_logs() {
    judge(&PROMISES[2]);
}

#[test]
fn nothing_that_must_stay_leaves_platform_logs() {
    judge(&PROMISES[3]);
}

#[test]
fn nothing_that_must_stay_leaves_devsecops_agent() {
    judge(&PROMISES[4]);
}

/// Puts every case through a pack, prints what is left of each class, and fails where anything is.
fn judge((name, classes): &(&str, &[Class])) {
    let Some(data) = data() else { return };
    let mut cases: Vec<Case> =
        SETS.iter().flat_map(|set| lines(&data.join(set)).into_iter().map(|line| case(&line, set))).collect();
    cases.extend(credentials(&lines(&data.join("secrets/gitleaks.jsonl.gz"))));
    cases.extend(cards(&lines(&data.join("secrets/presidio_tests.jsonl.gz"))));
    let mut pack = Pack::named(name);
    let mut table: BTreeMap<Class, Tally> = BTreeMap::new();
    for (number, case) in cases.iter().enumerate() {
        for shape in shapes(case, number) {
            let left = pack.filter(shape, &case.text);
            for (class, value) in case.values.iter().filter(|(class, _)| classes.contains(class)) {
                table.entry(*class).or_default().add(value, is_gone(*class, value, &left));
            }
        }
    }
    let mut missed = Vec::new();
    println!("{:<24} {:<16} {:>8} {:>8}", "pack", "must stay", "distinct", "gone");
    for class in *classes {
        let tally = table.entry(*class).or_default();
        let (distinct, gone) = (tally.0.len(), tally.gone());
        println!("{name:<24} {:<16} {distinct:>8} {gone:>8}", format!("{class:?}"));
        tally.show_left();
        if distinct == 0 || gone < distinct {
            missed.push(format!("{class:?}: {gone} of {distinct} gone"));
        }
    }
    assert!(missed.is_empty(), "{name}: {missed:?}");
}

#[test]
fn a_chosen_target_leaves_the_account_and_no_other_does() {
    let mut pack = Pack::of(
        "version: 1\nname: dns\nextends: [dns-in-account]\nexceptions:\n  - rules: ['*']\n    \
         values: [status.shop.example]\n    reason: a public page\n    owner: dns@corp.example\n    expires: 2027-06-30\n",
    );
    let text = "status.shop.example answered in 12 ms, intranet.corp.example in 40 ms";
    for shape in [Shape::Body, Shape::SpanEvent, Shape::DataPoint] {
        let left = pack.filter(shape, text);
        assert!(left.contains("status.shop.example answered in 12 ms, [host] in 40 ms"), "{shape:?}: {left}");
    }
    let left = pack
        .filter(Shape::Attributes, "{\"server.address\": \"status.shop.example\", \"target\": \"hr.corp.example\"}");
    assert!(left.contains("status.shop.example") && !left.contains("hr.corp"), "{left}");
}

/// Every text as a log; documents by their fields, too; one in four in the other signals.
fn shapes(case: &Case, number: usize) -> Vec<Shape> {
    let mut shapes = vec![Shape::Body];
    shapes.extend(case.is_document.then_some(Shape::Attributes));
    if number.is_multiple_of(4) {
        shapes.extend([Shape::SpanEvent, Shape::DataPoint]);
    }
    shapes
}

fn is_gone(class: Class, value: &str, left: &str) -> bool {
    match class {
        // Behind a home's beginning; the same word elsewhere is another promise's.
        Class::HomeFolder => {
            !HOME.captures_iter(left).any(|found| found.get(1).is_some_and(|name| name.as_str() == value))
        }
        Class::BrowserDetail | Class::CommandLine => !left.contains(value),
        Class::CloudCredential => !left.contains(value) && !left.contains(&value[value.len() / 2..]),
        // Browsers' versions may look like an address that stands beside them.
        Class::Address => !stands_in(value, &left.replace(&format!("Chrome/{value}"), "")),
        Class::User => !stands_in(value, &without_other_words(value, left)),
        _ => !stands_in(value, left),
    }
}

/// Where a label of a user is a word that stands for something else in the same text, too.
fn without_other_words(value: &str, left: &str) -> String {
    const OTHER_WORDS: [(&str, &[&str]); 8] = [
        // the path of a page
        ("admin", &["/html/admin/"]),
        // a database
        ("postgres", &["database=postgres"]),
        ("test", &["Schema: test", "from test where", "UPDATE test ", "test."]),
        // a statement's first word
        ("select", &["select config."]),
        // the word that says what follows, and the beginning of the token itself
        ("user", &["denied for user '", "user_", "(id, user)", "id, user FROM"]),
        // a system
        ("ubuntu", &["platform\":\"ubuntu\"", "platform\nubuntu\n"]),
        // a role, an index
        ("kibana", &["kibana_system", ".kibana"]),
        // nobody: the connection came to nothing
        ("unknown", &["[unknown]@[unknown]"]),
    ];
    let places = OTHER_WORDS.iter().filter(|(word, _)| *word == value).flat_map(|(_, places)| *places);
    places.fold(left.to_owned(), |left, place| left.replace(place, ""))
}

static HOME: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r#"(?:/home/|(?i:[a-z]:[\\/]+users[\\/]+))([A-Za-z][A-Za-z0-9._-]{1,30})\b"#).expect("valid")
});
static ARN: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r#"arn:aws[\w-]*:[\w-]*:[\w-]*:\d{12}:[\w/.:+=@-]+"#).expect("valid"));
static BROWSER: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"Mozilla/5\.0 (\([^)]{12,200}\))|(?:Chrome|Firefox|Version)/(\d+\.\d+\.[\d.]{3,})").expect("valid")
});

fn case(line: &Value, set: &str) -> Case {
    let text = line["original"].as_str().expect("the text").to_owned();
    let document: Option<Value> = serde_json::from_str(&text).ok().filter(Value::is_object);
    let trusted = !set.contains("panther");
    let mut values = Vec::new();
    let mut add = |class, value: &str| values.push((class, value.to_owned()));
    strings(&line["ips"]).iter().filter(|ip| names_somebody(ip, &text)).for_each(|ip| add(Class::Address, ip));
    let is_email = |email: &&String| {
        let last = email.rsplit('.').next().unwrap_or_default();
        !last.starts_with(|c: char| c.is_ascii_digit())
    };
    strings(&line["emails"]).iter().filter(is_email).for_each(|email| add(Class::Email, email));
    if trusted {
        let dotted = |host: &&String| host.contains('.') && host.parse::<IpAddr>().is_err() && stands_in(host, &text);
        strings(&line["hosts"]).iter().filter(dotted).for_each(|host| add(Class::Host, host));
        let long = |user: &&String| user.len() > 3 && stands_in(user, &text);
        strings(&line["users"]).iter().filter(long).for_each(|user| add(Class::User, user));
    }
    HOME.captures_iter(&text).for_each(|found| add(Class::HomeFolder, &found[1]));
    for found in ARN.find_iter(&text) {
        add(Class::ResourceName, found.as_str());
        found.as_str().split(':').nth(4).into_iter().for_each(|account| add(Class::AccountNumber, account));
    }
    for found in BROWSER.captures_iter(&text) {
        found.iter().skip(1).flatten().for_each(|part| add(Class::BrowserDetail, part.as_str()));
    }
    if let Some(document) = &document {
        command_lines(document, &mut |command| add(Class::CommandLine, command));
    }
    Case { text, is_document: document.is_some(), values }
}

/// Not this machine, nobody, everybody, a cloud's metadata service; no browser's version that is labelled as an address.
fn names_somebody(ip: &str, text: &str) -> bool {
    let kept = match ip.split('%').next().unwrap_or_default().parse() {
        Ok(IpAddr::V4(ip)) => {
            ip.is_loopback() || ip.is_unspecified() || ip.is_broadcast() || ip.octets() == [169, 254, 169, 254]
        }
        Ok(IpAddr::V6(ip)) => ip.is_loopback() || ip.is_unspecified(),
        Err(_) => false,
    };
    let version = |(at, _): (usize, &str)| text[..at].trim_end_matches(['"', ' ', ':']).ends_with("_version");
    !kept && !text.match_indices(ip).all(version)
}

/// One word alone, or a path in quotes, is a program, and stands elsewhere, too.
fn is_more_than_a_path(command: &str) -> bool {
    let command = command.trim();
    command.contains(' ') && !command.ends_with(".exe") && !command.ends_with(".exe\"")
}

/// What the fields for it hold.
fn command_lines(value: &Value, add: &mut dyn FnMut(&str)) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                let is_command = matches!(&*key.to_ascii_lowercase(), "commandline" | "parentcommandline");
                match value {
                    Value::String(command) if is_command && is_more_than_a_path(command) => add(command.trim()),
                    _ => command_lines(value, add),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| command_lines(item, add)),
        _ => {}
    }
}

/// Secrets of clouds.
fn credentials(rows: &[Value]) -> Vec<Case> {
    const CLOUDS: [&str; 8] =
        ["aws-", "azure-", "gcp-api", "alibaba-", "digitalocean-", "yandex-", "heroku-", "scalingo-"];
    let is_cloud =
        |row: &&Value| CLOUDS.iter().any(|cloud| row["rule"].as_str().is_some_and(|rule| rule.starts_with(cloud)));
    let each = |row: &Value| {
        let texts = strings(&row["positive"]).into_iter();
        let secrets =
            row["positive_secret"].as_array().into_iter().flatten().map(|secret| secret.as_str().map(str::to_owned));
        texts.zip(secrets).collect::<Vec<_>>()
    };
    let pairs = rows.iter().filter(is_cloud).flat_map(each);
    pairs
        .filter_map(|(text, secret)| {
            let values = vec![(Class::CloudCredential, secret?)];
            Some(Case { text, is_document: false, values })
        })
        .collect()
}

fn cards(rows: &[Value]) -> Vec<Case> {
    let each = |row: &Value| Case {
        text: row["text"].as_str().unwrap_or_default().to_owned(),
        is_document: false,
        // Of air travel's own cards the first digit is that of clocks in microseconds: they are none of the networks'.
        values: row["spans"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|span| span[2].as_str().filter(|card| !card.starts_with('1')))
            .map(|card| (Class::Card, card.to_owned()))
            .collect(),
    };
    rows.iter().filter(|row| row["entity"] == "CREDIT_CARD").map(each).collect()
}
