//! `privet filter`.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::process::Stdio;

use serde_json::Value;

use super::{privet, run};

const LINES: &[&str] = &["filter", "--from", "lines"];
const JSON_LOGS: &[&str] = &["filter", "--from", "otlp-json", "--signal", "logs"];

/// A request of one log record.
fn request(body: &str) -> String {
    serde_json::json!({"resourceLogs": [{"scopeLogs": [{"logRecords": [{"body": {"stringValue": body}}]}]}]})
        .to_string()
}

#[test]
fn lines_lose_their_identifiers_and_nothing_else() {
    let ran = run(LINES, b"accepted from 203.0.113.7:51544\nby alice@example.com on db-1.prod.corp.example\nplain\n");
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    ran.hides(&["203.0.113.7", "alice", "example.com", "db-1", "corp"]);
    let lines: Vec<_> = ran.text().lines().collect();
    assert!(lines[0].starts_with("accepted from ip_0_") && lines[0].ends_with(":51544"), "{}", lines[0]);
    assert!(lines[1].starts_with("by ") && lines[1].contains(" on "), "{}", lines[1]);
    assert_eq!(lines[2..], ["plain"]);
}

#[test]
fn a_line_comes_out_though_the_policy_stamps_its_record() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let policy = folder.path().join("p.yaml");
    fs::write(&policy, "version: 1\nname: p\nextends: [server-agent]\n").expect("it is writable");
    let policy = policy.to_str().expect("a path in UTF-8");
    let ran = run(&["filter", "--from", "lines", "--policy", policy], b"plain\n");
    assert_eq!((ran.code, ran.text()), (0, "plain\n"), "{}", ran.stderr);
}

#[test]
fn there_are_always_as_many_lines_as_before_and_they_end_as_before() {
    for input in [
        b"".as_slice(),
        b"\n",
        b"\r\n\n\r\r\n",
        b"a\nb\r\nc",
        b"no end 203.0.113.7",
        b"\xff\xfe\n\xc3\x28\r\nfine\n\x00\n\xed\xa0\x80",
        b"{\"a\":\"x\\ny 203.0.113.7\"}\n{\"a\":\n",
    ] {
        let ran = run(LINES, input);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        let ends = |bytes: &[u8]| -> Vec<u8> {
            let crlf_or_lf = bytes.windows(2).filter(|pair| pair[1] == b'\n').map(|pair| u8::from(pair[0] == b'\r'));
            crlf_or_lf.chain([bytes.iter().filter(|&&byte| byte == b'\n').count() as u8]).collect()
        };
        assert_eq!(ends(&ran.stdout), ends(input), "{input:?} became {:?}", ran.stdout);
        ran.hides(&["203.0.113.7"]);
    }
}

#[test]
fn lines_that_cannot_be_judged_are_redacted_whole_and_counted() {
    let long = vec![b'x'; (64 << 20) + 1];
    let input = [b"key \xff 203.0.113.7\r\n".as_slice(), &long, b"\nfine\n", &long, b"\r\n", &long].concat();
    let ran = run(&[LINES, &["--format", "json"]].concat(), &input);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!(ran.text(), "[redacted]\r\n[redacted]\nfine\n[redacted]\r\n[redacted]");
    let reasons = [("invalid_utf8", 1), ("too_long", 3)]
        .map(|(reason, times)| serde_json::json!({"reason": reason, "times": times}));
    assert_eq!(summary(&ran.stderr)["redacted_lines"], Value::from(reasons.to_vec()));
}

#[test]
fn records_that_a_rule_drops_leave_a_line_that_says_so() {
    let directory = tempfile::tempdir().unwrap();
    let policy = directory.path().join("policy.yaml");
    fs::write(
        &policy,
        "version: 1\nname: p\nextends: [base]\nrules:\n  - {name: no-logs, signals: [logs], action: drop_record}\n",
    )
    .unwrap();
    let ran = run(&[LINES, &["--policy", policy.to_str().unwrap()]].concat(), b"one\r\ntwo");
    assert_eq!((ran.code, ran.text()), (0, "[dropped]\r\n[dropped]"), "{}", ran.stderr);
}

#[test]
fn requests_pass_in_every_form_and_keep_what_no_rule_is_about() {
    let requests = [request("first of 203.0.113.7"), request("second"), request("third")];
    let spread = requests.join("\n \n").replace("{\"log", "{\n\t\"log");
    let json = run(JSON_LOGS, spread.as_bytes());
    assert_eq!(json.code, 0, "{}", json.stderr);
    json.hides(&["203.0.113.7"]);
    let lines: Vec<_> = json.text().lines().collect();
    assert_eq!(lines[1..], requests[1..]);

    let protobuf = ["filter", "--signal", "logs", "--from", "otlp-json", "--to", "otlp-protobuf"];
    let back = ["filter", "--signal", "logs", "--from", "otlp-protobuf", "--to", "otlp-json"];
    let input = requests[1..].join("\n");
    let delimited = run(&[protobuf.as_slice(), &["--delimited"]].concat(), input.as_bytes());
    let again = run(&[back.as_slice(), &["--delimited"]].concat(), &delimited.stdout);
    assert_eq!(again.text(), input + "\n", "{}", again.stderr);

    // Put together they are one request.
    let joined = run(&protobuf, requests[1..].concat().as_bytes());
    let again = run(&back, &joined.stdout);
    assert_eq!(again.text().lines().count(), 1, "{}", again.stderr);
    assert!(again.text().contains("second") && again.text().contains("third"));
}

#[test]
fn the_same_keyring_gives_the_same_tokens_and_another_recipient_others() {
    let directory = tempfile::tempdir().unwrap();
    let keyring = directory.path().join("keyring.toml");
    let keyring = keyring.to_str().unwrap();
    assert_eq!(run(&["keys", "new", "--out", keyring], b"").code, 0);
    let tokens = |more: &[&str]| {
        let ran = run(&[LINES, &["--keyring", keyring], more].concat(), b"203.0.113.7\n");
        assert!(ran.code == 0 && !ran.stderr.contains("THROW-AWAY"), "{}", ran.stderr);
        ran.hides(&["203.0.113.7"]);
        ran.text().to_owned()
    };
    assert_eq!(tokens(&[]), tokens(&[]));
    assert_ne!(tokens(&[]), tokens(&["--recipient", "other"]));
    assert!(run(LINES, b"").stderr.contains("THROW-AWAY KEY"));
}

#[test]
fn the_summary_says_which_rule_did_what_and_never_a_value() {
    let input = b"203.0.113.7 and 203.0.113.8\nalice@example.com\n";
    let ran = run(&[LINES, &["--format", "json"]].concat(), input);
    let summary = summary(&ran.stderr);
    assert_eq!((&summary["requests"], &summary["records"], &summary["dropped"]), (&2.into(), &2.into(), &0.into()));
    let times = |rule: &str| {
        summary["rules"]
            .as_array()
            .unwrap()
            .iter()
            .find(|acted| acted["rule"] == rule)
            .map(|acted| acted["times"].clone())
    };
    assert_eq!(times("addresses-in-text"), Some(2.into()), "{summary}");
    assert_eq!(times("emails-in-text"), Some(1.into()), "{summary}");
    ran.hides(&["203.0.113", "alice"]);

    let ran = run(LINES, input);
    assert!(ran.stderr.contains("2  pseudonymise  by rule addresses-in-text"), "{}", ran.stderr);
    ran.hides(&["203.0.113", "alice"]);
}

#[test]
fn what_goes_wrong_has_its_exit_code_its_place_and_no_value() {
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str, content: &[u8]| {
        let path = directory.path().join(name);
        fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let good = file("good.jsonl", request("x").as_bytes());
    let broken = file("broken.jsonl", format!("{}\n{{\"resourceLogs\": \"203.0.113.7\"}}", request("x")).as_bytes());
    let twice = file("twice.jsonl", b"{\"resourceProfiles\":[{}]}{\"resourceProfiles\":[{}]}");
    let lying = file("lying.pb", b"\x0a\x7f203.0.113.7");
    let cut = file("cut.pb", b"\x7f203.0.113.7");
    let policy = file("policy.yaml", b"version: 1\nname: p\nrulez: []\n");
    let in_nothing = directory.path().join("none/out");
    let in_nothing = in_nothing.to_str().unwrap();
    let json = JSON_LOGS;
    let protobuf: &[&str] = &["filter", "--from", "otlp-protobuf", "--signal", "logs"];
    for (code, arguments, says) in [
        (64, vec!["filter"], "--from"),
        (64, vec!["filter", "--from", "otlp-json"], "--signal"),
        (64, [LINES, &["--signal", "traces"]].concat(), "lines are log records"),
        (64, [json, &["--to", "lines"]].concat(), "lines can only be made of lines"),
        (64, [json, &["--delimited"]].concat(), "--delimited"),
        (64, [json, &[&good, "-o", &good]].concat(), "into itself"),
        (64, vec!["filter", "--from", "lines", "--signal", "sounds"], "sounds"),
        (65, [json, &[&broken]].concat(), "line 2, column 18, at $.resourceLogs: an array was expected"),
        (65, [protobuf, &[&lying]].concat(), "byte 0: refused: "),
        (65, [protobuf, &["--delimited", &cut]].concat(), "byte 0: the file ends within a request"),
        (
            65,
            vec!["filter", "--from", "otlp-json", "--to", "otlp-protobuf", "--signal", "profiles", &twice],
            "--delimited",
        ),
        (65, [json, &["--policy", &policy, &good]].concat(), "rulez"),
        (66, [json, &["no-such-file"]].concat(), "no-such-file"),
        (66, [json, &["--keyring", "no-such-file", &good]].concat(), "no-such-file"),
        (73, [json, &[&good, "-o", in_nothing]].concat(), in_nothing),
        (64, [json, &[directory.path().to_str().unwrap()]].concat(), "name it with -o"),
    ] {
        let ran = run(&arguments, b"");
        assert_eq!(ran.code, code, "{arguments:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(says), "{arguments:?}: {}", ran.stderr);
        ran.hides(&["203.0.113.7"]);
    }
}

#[test]
fn what_stands_before_a_bad_request_has_been_written() {
    let ran = run(JSON_LOGS, format!("{}\n{{]", request("x")).as_bytes());
    assert_eq!((ran.code, ran.text()), (65, format!("{}\n", request("x")).as_str()), "{}", ran.stderr);
}

#[test]
fn files_and_standard_streams_are_the_same() {
    let directory = tempfile::tempdir().unwrap();
    let [input, output] = ["in", "out"].map(|name| directory.path().join(name));
    fs::write(&input, "a\nb\n").unwrap();
    let ran = run(&[LINES, &[input.to_str().unwrap(), "-o", output.to_str().unwrap()]].concat(), b"");
    assert_eq!((ran.code, ran.text()), (0, ""), "{}", ran.stderr);
    assert_eq!(fs::read(&output).unwrap(), run(&[LINES, &["-"]].concat(), b"a\nb\n").stdout);
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let directory = tempfile::tempdir().unwrap();
    let input = directory.path().join("in");
    fs::write(&input, "a line like all the others\n".repeat(200_000)).unwrap();
    let mut command = privet(&[LINES, &[input.to_str().unwrap()]].concat());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut first = String::new();
    BufReader::with_capacity(32, child.stdout.take().unwrap()).read_line(&mut first).unwrap();
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!((first.as_str(), child.wait().unwrap().code()), ("a line like all the others\n", Some(0)), "{said}");
    assert!(!said.contains("error"), "{said}");
}

/// The last line of standard error.
fn summary(stderr: &str) -> Value {
    serde_json::from_str(stderr.lines().last().unwrap_or_default()).unwrap_or_else(|_| panic!("{stderr}"))
}

#[test]
fn a_folder_is_filtered_into_another_file_by_file() {
    let folder = tempfile::tempdir().unwrap();
    let (input, output) = (folder.path().join("in"), folder.path().join("out"));
    std::fs::create_dir_all(input.join("deep/er")).unwrap();
    std::fs::write(input.join("a.log"), "from 203.0.113.7\n").unwrap();
    std::fs::write(input.join("deep/er/b.log"), "from 203.0.113.7\nall is well\n").unwrap();
    let text = |path: &std::path::Path| path.display().to_string();
    let ran = run(&["filter", "--from", "lines", &text(&input), "-o", &text(&output)], b"");
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stderr.contains("3 records in 3 requests"), "{}", ran.stderr);
    let a = std::fs::read_to_string(output.join("a.log")).unwrap();
    let b = std::fs::read_to_string(output.join("deep/er/b.log")).unwrap();
    assert!(a.starts_with("from ip_") && b.starts_with(&a) && b.ends_with("\nall is well\n"), "{a}{b}");
    let inside = text(&input.join("out"));
    assert_eq!(run(&["filter", "--from", "lines", &text(&input), "-o", &inside], b"").code, 64);
    assert_eq!(run(&["filter", "--from", "lines", &text(&input)], b"").code, 64);
}
