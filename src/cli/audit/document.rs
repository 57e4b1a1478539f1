//! A report in words and tables, for whatever writes it out. Texts are plain but for code in backticks.

use super::summary::{Amount, Destination, Summary, Totals, second};

pub enum Block {
    Title(String),
    Section(String),
    Part(String),
    Text(String),
    /// Something that must not be overlooked, and whether it is good news.
    Notice(bool, String),
    List(Vec<String>),
    Table {
        head: Vec<Column>,
        rows: Vec<Vec<String>>,
    },
}

#[derive(Clone, Copy)]
pub enum Column {
    Text(&'static str),
    Number(&'static str),
}

use Column::{Number, Text};

/// What an action does, for who has not written the policy.
const ACTIONS: [(&str, &str); 9] = [
    ("drop_record", "the whole record was not sent"),
    ("aggregate", "the field was removed, and the points that it told apart were added up"),
    ("stay", "the field was removed for this destination"),
    ("redact", "the value was replaced by a fixed word"),
    ("pseudonymise", "the value was replaced by a token that only the key's holder can test against a guess"),
    ("encrypt", "the value was replaced by a token that the key's holder can turn back"),
    ("mask", "only the last characters of the value were left"),
    ("generalise", "the value was made coarser, such as a network in place of an address"),
    ("keep", "the value was left as it was"),
];

pub fn write(summary: &Summary) -> Vec<Block> {
    let mut blocks = vec![Block::Title("What left: report from the audit trail".to_owned())];
    blocks.push(Block::Text(span(summary)));
    blocks.push(state(summary));
    if summary.trail.torn {
        let text = "The trail's last line is the beginning of an entry: the process fell while it wrote, or its end was cut off.";
        blocks.push(Block::Notice(false, text.to_owned()));
    }
    overview(summary, &mut blocks);
    for (name, destination) in &summary.destinations {
        of_destination(name, destination, &mut blocks);
    }
    changes(summary, &mut blocks);
    explanations(summary, &mut blocks);
    blocks
}

fn span(summary: &Summary) -> String {
    let from = summary.from.or(summary.trail.begins).map_or_else(String::new, second);
    let to = summary.to.or(summary.trail.ends).map_or_else(String::new, second);
    format!("From {from} to {to} (UTC). Numbers only: no value from telemetry is in the trail or in this report.")
}

fn state(summary: &Summary) -> Block {
    let trail = &summary.trail;
    match &trail.broken {
        None => Block::Notice(
            true,
            format!(
                "The trail is whole: its {} entries are as they were written. The last is entry {}, with the hash `{}`.",
                number(trail.entries),
                trail.last_entry,
                trail.last_hash
            ),
        ),
        Some(broken) => Block::Notice(
            false,
            format!(
                "THE TRAIL IS BROKEN: {broken}. This report covers what stands before the break, and nothing behind it."
            ),
        ),
    }
}

fn overview(summary: &Summary, blocks: &mut Vec<Block>) {
    blocks.push(Block::Section("In short".to_owned()));
    let changes = |name: &str| {
        let own = summary.changes.iter().filter(|change| change.destination.as_deref() == Some(name));
        own.count() as u64
    };
    let rows = summary.destinations.iter().map(|(name, destination)| {
        let sum = |of: fn(&Totals) -> u64| number(destination.signals.values().map(of).sum());
        vec![
            format!("`{name}`"),
            destination.in_force.as_ref().map_or_else(String::new, |at| {
                let region = at.region.as_ref().map_or_else(String::new, |region| format!(" ({region})"));
                format!("`{}`{region}", at.address)
            }),
            sum(|totals| totals.seen().records),
            sum(|totals| totals.left.records),
            sum(|totals| totals.may_have_left.records),
            number(destination.rules.values().map(|acts| acts.times).sum()),
            number(destination.exceptions.len() as u64),
            number(changes(name)),
        ]
    });
    let head = vec![
        Text("destination"),
        Text("where"),
        Number("records seen"),
        Number("records that left"),
        Number("that may have left"),
        Number("acts of rules"),
        Number("exceptions"),
        Number("changes"),
    ];
    blocks.push(Block::Table { head, rows: rows.collect() });
}

fn of_destination(name: &str, destination: &Destination, blocks: &mut Vec<Block>) {
    blocks.push(Block::Section(format!("Destination `{name}`")));
    let Some(at) = &destination.in_force else {
        blocks.push(Block::Text("What was in force for it stands in no entry of the trail.".to_owned()));
        return numbers(destination, blocks);
    };
    let mut facts = vec![
        format!("Goes to `{}`, recipient `{}`", at.address, at.of.recipient),
        format!("Policy `{}`, digest `{}`", at.policy_name, at.of.policy),
        format!(
            "Key of epoch {}, check value `{}`{}",
            at.of.epoch,
            at.of.key_check_value,
            if at.throw_away_key { ": thrown away with the process, tokens join with nothing" } else { "" }
        ),
    ];
    let permitted =
        if at.regions.is_empty() { String::new() } else { format!("; the policy permits {}", at.regions.join(", ")) };
    facts.push(format!("Region: {}{permitted}", at.region.as_deref().unwrap_or("none is declared")));
    if let Some(tls) = &at.tls {
        facts.push(format!("TLS {tls} or newer"));
    }
    if !at.retention.is_empty() {
        let each: Vec<_> = at.retention.iter().map(|(class, days)| format!("{class} {days} days")).collect();
        facts.push(format!("To be kept there: {}", each.join(", ")));
    }
    blocks.push(Block::List(facts));
    blocks.push(Block::Part("What is promised".to_owned()));
    if at.promises.is_empty() {
        let text = "The policy's tests promise nothing in words (`promise:`); its rules stand below.";
        blocks.push(Block::Text(text.to_owned()));
    } else {
        blocks.push(Block::List(at.promises.clone()));
    }
    numbers(destination, blocks);
    rules(destination, blocks);
    exceptions(destination, blocks);
}

fn numbers(destination: &Destination, blocks: &mut Vec<Block>) {
    blocks.push(Block::Part("What was seen, and what left".to_owned()));
    let (Some(from), Some(to)) = (destination.counted_from, destination.counted_to) else {
        return blocks.push(Block::Text("Nothing was counted in this time.".to_owned()));
    };
    blocks.push(Block::Text(format!("Counted from {} to {}.", second(from), second(to))));
    let rows: Vec<_> = destination
        .signals
        .iter()
        .map(|(signal, totals)| {
            let amount = |amount: &Amount| number(amount.records);
            vec![
                signal.clone(),
                number(totals.seen().requests),
                amount(&totals.seen()),
                amount(&totals.left),
                bytes(totals.left.bytes),
                amount(&totals.may_have_left),
                number(totals.dropped),
                amount(&totals.not_sent),
                number(totals.refused.values().sum()),
            ]
        })
        .collect();
    if rows.is_empty() {
        return blocks.push(Block::Text("Nothing came, and nothing left.".to_owned()));
    }
    let head = vec![
        Text("signal"),
        Number("requests seen"),
        Number("records seen"),
        Number("records that left"),
        Number("bytes that left"),
        Number("may have left"),
        Number("dropped by a rule"),
        Number("not sent"),
        Number("requests refused"),
    ];
    blocks.push(Block::Table { head, rows });
    let refused = destination.signals.iter().flat_map(|(signal, totals)| {
        totals.refused.iter().map(move |(reason, times)| vec![signal.clone(), format!("`{reason}`"), number(*times)])
    });
    let refused: Vec<_> = refused.collect();
    if !refused.is_empty() {
        blocks.push(Block::Text("Requests that were refused, of which nothing left:".to_owned()));
        blocks.push(Block::Table { head: vec![Text("signal"), Text("reason"), Number("requests")], rows: refused });
    }
    let closed = destination.fail_closed.iter().map(|(reason, times)| (format!("`{reason}`: hidden whole"), times));
    let unknown = destination
        .unknown_fields
        .iter()
        .map(|(field, times)| (format!("field `{field}` is not in the schema: deleted"), times));
    let rows: Vec<_> = closed.chain(unknown).map(|(what, times)| vec![what, number(*times)]).collect();
    if !rows.is_empty() {
        blocks.push(Block::Text("What could not be judged did not leave:".to_owned()));
        blocks.push(Block::Table { head: vec![Text("what"), Number("times")], rows });
    }
}

/// So many of a rule's fields are told, and of the rules that had nothing to do.
const MOST_FIELDS: usize = 12;
const MOST_SILENT: usize = 40;

fn rules(destination: &Destination, blocks: &mut Vec<Block>) {
    blocks.push(Block::Part("What the rules did".to_owned()));
    let known = destination.in_force.iter().flat_map(|at| &at.rules);
    let description =
        |name: &String| known.clone().find(|rule| rule.name == *name).and_then(|rule| rule.description.clone());
    let mut acted: Vec<_> = destination.rules.iter().collect();
    acted.sort_by_key(|(name, acts)| (std::cmp::Reverse(acts.times), *name));
    let rows = acted.iter().map(|(name, acts)| {
        let mut fields: Vec<_> = acts.fields.iter().collect();
        fields.sort_by_key(|(field, times)| (std::cmp::Reverse(**times), *field));
        let mut told: Vec<_> =
            fields.iter().take(MOST_FIELDS).map(|(field, times)| format!("`{field}` ({})", number(**times))).collect();
        if fields.len() > MOST_FIELDS {
            told.push(format!("{} fields more", fields.len() - MOST_FIELDS));
        }
        vec![
            format!("`{name}`"),
            acts.action.clone(),
            number(acts.times),
            told.join("; "),
            description(name).unwrap_or_default(),
        ]
    });
    let rows: Vec<_> = rows.collect();
    if rows.is_empty() {
        blocks.push(Block::Text("No rule had anything to do.".to_owned()));
    } else {
        let head =
            vec![Text("rule"), Text("action"), Number("times"), Text("in which fields"), Text("what its author says")];
        blocks.push(Block::Table { head, rows });
    }
    let silent: Vec<_> = known
        .clone()
        .filter(|rule| rule.action != "keep" && !destination.rules.contains_key(&rule.name))
        .map(|rule| format!("`{}`", rule.name))
        .collect();
    if !silent.is_empty() {
        let more = silent.len().saturating_sub(MOST_SILENT);
        let more = if more > 0 { format!(", and {more} more") } else { String::new() };
        let named = silent.iter().take(MOST_SILENT).cloned().collect::<Vec<_>>().join(", ");
        blocks.push(Block::Text(format!("In force, and nothing to do ({}): {named}{more}.", silent.len())));
    }
}

fn exceptions(destination: &Destination, blocks: &mut Vec<Block>) {
    blocks.push(Block::Part("Exceptions in force".to_owned()));
    if destination.exceptions.is_empty() {
        return blocks.push(Block::Text("None.".to_owned()));
    }
    let rows = destination.exceptions.iter().map(|one| {
        vec![
            format!("`{}`", one.exception.rules.join("`, `")),
            one.exception.reason.clone(),
            one.exception.owner.clone(),
            one.exception.expires.to_string(),
            format!("{} to {}", second(one.from), second(one.to)),
        ]
    });
    let head = vec![Text("from the rules"), Text("reason"), Text("owner"), Text("last day"), Text("was in force here")];
    blocks.push(Block::Table { head, rows: rows.collect() });
}

fn changes(summary: &Summary, blocks: &mut Vec<Block>) {
    blocks.push(Block::Section("What changed".to_owned()));
    if summary.changes.is_empty() {
        return blocks.push(Block::Text("Nothing.".to_owned()));
    }
    let rows = summary.changes.iter().map(|change| {
        let destination = change.destination.as_ref().map_or_else(String::new, |name| format!("`{name}`"));
        vec![second(change.time), destination, change.what.clone()]
    });
    blocks
        .push(Block::Table { head: vec![Text("when (UTC)"), Text("destination"), Text("what")], rows: rows.collect() });
}

fn explanations(summary: &Summary, blocks: &mut Vec<Block>) {
    blocks.push(Block::Section("How to read this".to_owned()));
    blocks.push(Block::List(vec![
        "**Left**: the destination confirmed that it has it. **May have left**: it was handed over and no such word came back. **Not sent**: there was no way to the destination. What an agent sends again is counted again.".to_owned(),
        "Records are log records, spans, data points and profiles. An act is one value, field or record that a rule acted on.".to_owned(),
        "Fields are named by the keys that the policy and OpenTelemetry's conventions know; all others together are `(other keys)`, for a key could itself hold data.".to_owned(),
    ]));
    let rows = ACTIONS.iter().map(|(action, what)| vec![format!("`{action}`"), (*what).to_owned()]).collect();
    blocks.push(Block::Table { head: vec![Text("action"), Text("what it did")], rows });
    blocks.push(Block::Part("What the trail proves".to_owned()));
    blocks.push(Block::Text(
        "Each entry carries the hash of the one before, so that none can be changed, taken out, put in or moved unnoticed. \
         Whoever can write the files could still cut off the end, or make the end anew with other hashes. Against that, keep \
         the last hash of this report elsewhere; a later check proves that all up to there is as it was:"
            .to_owned(),
    ));
    let hash = if summary.trail.last_hash.is_empty() { "HASH" } else { &summary.trail.last_hash };
    blocks.push(Block::Text(format!("`privet audit verify DIRECTORY --expect-hash {hash}`")));
}

/// With its thousands apart.
fn number(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

fn bytes(bytes: u64) -> String {
    let units = ["B", "kB", "MB", "GB", "TB"];
    let (mut amount, mut unit) = (bytes as f64, 0);
    while amount >= 1000.0 && unit + 1 < units.len() {
        (amount, unit) = (amount / 1000.0, unit + 1);
    }
    if unit == 0 { format!("{bytes} B") } else { format!("{amount:.1} {}", units[unit]) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_for_people() {
        assert_eq!([0, 12, 1_234, 1_234_567].map(number), ["0", "12", "1,234", "1,234,567"]);
        assert_eq!([999, 1_500, 2_000_000, 3_100_000_000].map(bytes), ["999 B", "1.5 kB", "2.0 MB", "3.1 GB"]);
    }

    #[test]
    fn every_action_is_explained() {
        let explained: Vec<_> = ACTIONS.iter().rev().map(|(name, _)| *name).collect();
        assert_eq!(explained, crate::policy::Action::ALL.map(crate::policy::Action::name));
    }
}
