//! `privet scan --listen`: an inventory of what agents send.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, Stdio};

use privet::grpc::Code;
use serde_json::Value;

use crate::support::agent::Agent;
use crate::support::process::{ask, privet};
use crate::support::{CANARY, log};

struct Scan {
    child: Child,
    stderr: BufReader<std::process::ChildStderr>,
    address: SocketAddr,
}

impl Scan {
    fn start(arguments: &[&str]) -> Scan {
        let mut command = privet(&["scan", "--listen", "127.0.0.1:0", "--format", "json"]);
        let mut child = command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let mut first = String::new();
        stderr.read_line(&mut first).unwrap();
        let address = first.strip_prefix("listening on ").and_then(|rest| rest.split_once(": ")).unwrap().0;
        Scan { address: address.parse().unwrap(), child, stderr }
    }

    fn interrupt(&self) {
        let kill = std::process::Command::new("kill").args(["-INT", &self.child.id().to_string()]).status().unwrap();
        assert!(kill.success());
    }

    /// Waits for its end; the inventory, and what else it said.
    fn ended(mut self) -> (Value, String) {
        let (mut stdout, mut stderr) = (String::new(), String::new());
        self.child.stdout.take().unwrap().read_to_string(&mut stdout).unwrap();
        self.stderr.read_to_string(&mut stderr).unwrap();
        assert_eq!(self.child.wait().unwrap().code(), Some(0), "{stderr}");
        assert!(!stdout.contains(CANARY) && !stderr.contains(CANARY), "{stdout}{stderr}");
        (serde_json::from_str(&stdout).unwrap(), stderr)
    }
}

fn field<'a>(inventory: &'a Value, name: &str) -> &'a Value {
    let fields = inventory["fields"].as_array().unwrap();
    fields.iter().find(|field| field["field"] == name).unwrap_or_else(|| panic!("{name} is not in {inventory:#}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn agents_are_answered_and_what_they_send_is_taken_down() {
    let scan = Scan::start(&["--requests", "4"]);
    let agent = Agent::connect(scan.address).await;
    for body in [format!("from {CANARY}"), format!("again {CANARY}"), "nothing".to_owned()] {
        let answer = agent.export(&log(&body)).await;
        assert_eq!((answer.code(), answer.body.len()), (Code::Ok, 0));
    }
    // What is no OTLP is no reason to stop.
    let malformed = crate::support::agent::framed(b"\x0a\x05x", false);
    agent.call(crate::support::agent::LOGS, &[], &[malformed]).await;
    let (inventory, said) = tokio::task::spawn_blocking(move || scan.ended()).await.unwrap();
    assert_eq!(inventory["records"], 3);
    let body = field(&inventory, "logs.body");
    assert_eq!(
        (&body["values"], &body["findings"][0]["values"], &body["findings"][0]["distinct"]),
        (&3.into(), &2.into(), &2.into())
    );
    assert!(said.contains("1 of 4 requests"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_sdk_sends_of_every_signal_is_taken_down_until_it_is_interrupted() {
    let scan = Scan::start(&[]);
    let url = format!("http://{}", scan.address);
    let (code, told) = tokio::task::spawn_blocking(move || ask(&["canary", "--to", &url])).await.unwrap();
    assert_eq!((code, told.trim()), (0, "all that the destination takes is acknowledged"));
    scan.interrupt();
    let (inventory, _) = tokio::task::spawn_blocking(move || scan.ended()).await.unwrap();
    for name in ["logs.body", "metrics.attributes.server.address", "traces.attributes.user.email"] {
        assert!(!field(&inventory, name)["findings"].as_array().unwrap().is_empty(), "{name}");
    }
}

#[test]
fn an_end_that_was_given_comes_by_itself_and_a_wrong_one_is_told() {
    let (inventory, _) = Scan::start(&["--for", "100ms"]).ended();
    assert_eq!(inventory["records"], 0);
    for wrong in [
        &["scan"][..],
        &["scan", "--for", "5m", "x"],
        &["scan", "--listen", "127.0.0.1:0", "x.json"],
        &["scan", "--listen", "127.0.0.1:0", "--for", "soon"],
    ] {
        assert_eq!(ask(wrong).0, 64, "{wrong:?}");
    }
}
