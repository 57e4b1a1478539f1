//! The audit trail of a running process: what it counts, what it survives, and what never comes into it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use privet::control::v1::GetStatusRequest;
use privet::control::v1::control_client::ControlClient;
use privet::grpc::Code;
use serde_json::Value as Json;
use tonic::Status;

use crate::support::agent::Agent;
use crate::support::destination::Destination;
use crate::support::process::{Process, privet, run};
use crate::support::{CANARY, eventually, get, log};

/// A folder with a configuration that has an audit trail.
struct Folder(tempfile::TempDir);

impl Folder {
    /// `more` stands below `audit:`.
    fn new(destination: &str, more: &str) -> Folder {
        let folder = Folder(tempfile::tempdir().unwrap());
        folder.write_policy("2027-12-31");
        folder.configure(&format!("destination:\n  name: vendor\n  endpoint: {destination}\n"), more);
        folder
    }

    fn configure(&self, destinations: &str, more: &str) {
        let config = format!("policy: [policy.yaml]\n{destinations}audit:\n  directory: trail\n{more}");
        fs::write(self.path().join("privet.yaml"), config).unwrap();
    }

    fn write_policy(&self, expires: &str) {
        let policy = format!(
            "version: 1\nname: audited\nextends: [base]\nexceptions:\n\
             \x20 - {{rules: [addresses-in-text], keys: [public.address], reason: it is published, owner: ann, expires: {expires}}}\n"
        );
        fs::write(self.path().join("policy.yaml"), policy).unwrap();
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn trail(&self) -> PathBuf {
        self.path().join("trail")
    }

    fn start(&self) -> Process {
        Process::start(&["--config", self.path().join("privet.yaml").to_str().unwrap()], &[])
    }

    /// All entries, in order.
    fn entries(&self) -> Vec<Json> {
        self.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn text(&self) -> String {
        let mut files: Vec<_> = fs::read_dir(self.trail()).unwrap().map(|file| file.unwrap().path()).collect();
        files.sort();
        files.iter().map(|file| fs::read_to_string(file).unwrap()).collect()
    }

    /// Exit code and what `privet audit verify` says.
    fn verify(&self) -> (Option<i32>, String) {
        let output = privet(&["audit", "verify", self.trail().to_str().unwrap()]).output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8(said).unwrap())
    }
}

/// The sums of all periods' `left`, by a member of it.
fn sum(entries: &[Json], fate: &str, of: &str) -> u64 {
    let periods = entries.iter().filter(|entry| entry["entry"] == "period");
    periods.filter_map(|period| period["signals"]["logs"][fate][of].as_u64()).sum()
}

fn acts(entries: &[Json], rule: &str) -> u64 {
    let periods = entries.iter().filter(|entry| entry["entry"] == "period");
    let acts = periods.filter_map(|period| period["signals"]["logs"]["left"]["acts"].as_array()).flatten();
    acts.filter(|act| act["rule"] == rule).filter_map(|act| act["times"].as_u64()).sum()
}

fn bodies(requests: &[tonic::Request<ExportLogsServiceRequest>]) -> Vec<String> {
    let resources = requests.iter().flat_map(|request| &request.get_ref().resource_logs);
    let records = resources.flat_map(|resource| &resource.scope_logs).flat_map(|scope| &scope.log_records);
    let text = |record: &opentelemetry_proto::tonic::logs::v1::LogRecord| match record.body.clone()?.value? {
        Value::StringValue(text) => Some(text),
        _ => None,
    };
    records.filter_map(text).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_trail_counts_what_arrived_and_nothing_else() {
    let destination = Destination::default();
    let folder = Folder::new(&destination.clone().start().await, "");
    let process = folder.start();
    let agent = Agent::connect(process.listen).await;
    for number in 0..20 {
        let body = format!("from 10.0.{number}.1 to {CANARY}, again 10.0.{number}.1, by ann{number}@corp.example");
        assert_eq!(agent.export(&log(&body)).await.code(), Code::Ok);
    }
    destination.answer(Err(Status::invalid_argument("no")));
    assert_eq!(agent.export(&log("refused by the destination")).await.code(), Code::InvalidArgument);
    let (status, text) = tokio::task::spawn_blocking(move || process.terminate()).await.unwrap();
    assert_eq!(status.code(), Some(0), "{text}");

    let arrived = bodies(&destination.logs.lock().unwrap());
    let tokens = |prefix: &str| arrived.iter().map(|body| body.matches(prefix).count() as u64).sum::<u64>();
    let entries = folder.entries();
    assert_eq!((sum(&entries, "left", "requests"), sum(&entries, "left", "records")), (20, 20));
    assert_eq!((sum(&entries, "unconfirmed", "requests"), sum(&entries, "not_sent", "requests")), (1, 0));
    assert_eq!(acts(&entries, "addresses-in-text"), 60);
    assert_eq!(tokens("ip_"), 60, "{arrived:?}");
    assert_eq!(acts(&entries, "emails-in-text"), 20);
    let kinds: Vec<_> = entries.iter().map(|entry| entry["entry"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["start", "in_force", "period", "stop"]);
    let period = &entries[2];
    assert_eq!(period["destination"], "vendor");
    assert_eq!(period["policy"], entries[1]["policy"]);
    assert_eq!(period["exceptions"][0]["owner"], "ann");
    assert_eq!(period["key_check_value"].as_str().map(str::len), entries[1]["key_check_value"].as_str().map(str::len));
    let (code, said) = folder.verify();
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("whole: entries 1 to 4 in 1 file"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_sent_did_not_leave() {
    let folder = Folder::new("http://127.0.0.1:1", "");
    let process = folder.start();
    let agent = Agent::connect(process.listen).await;
    assert_eq!(agent.export(&log("x")).await.code(), Code::Unavailable);
    tokio::task::spawn_blocking(move || process.terminate()).await.unwrap();
    let entries = folder.entries();
    let requests = ["left", "unconfirmed", "not_sent"].map(|fate| sum(&entries, fate, "requests"));
    assert_eq!(requests, [0, 0, 1]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_destination_has_sums_of_its_own() {
    let [vendor, own] = [Destination::default(), Destination::default()];
    let folder = Folder::new("http://127.0.0.1:1", "");
    let open = "version: 1\nname: open\nrules: [{name: nothing, keys: [no.such.key], action: stay}]\nkeep: []\n";
    fs::write(folder.path().join("open.yaml"), open).unwrap();
    let [first, second] = [vendor.clone().start().await, own.clone().start().await];
    let destinations = format!(
        "destinations:\n\
         \x20 - {{name: vendor, endpoint: \"{first}\"}}\n\
         \x20 - {{name: own, endpoint: \"{second}\", policy: [open.yaml]}}\n\
         \x20 - {{name: gone, endpoint: \"http://127.0.0.1:1\", required: false}}\n"
    );
    folder.configure(&destinations, "");
    let process = folder.start();
    let agent = Agent::connect(process.listen).await;
    assert_eq!(agent.export(&log("10.0.0.1")).await.code(), Code::Ok);
    let admin = tonic::transport::Endpoint::try_from(format!("http://{}", process.admin)).unwrap();
    let mut control = ControlClient::new(admin.connect().await.unwrap());
    let audit = control.get_status(GetStatusRequest {}).await.unwrap().into_inner().audit.expect("a trail is kept");
    assert_eq!((audit.sequence, audit.hash.len(), audit.failing), (4, 64, false));
    tokio::task::spawn_blocking(move || process.terminate()).await.unwrap();
    let entries = folder.entries();
    assert_eq!(entries[3]["hash"], audit.hash);
    let of =
        |name: &str| -> Vec<Json> { entries.iter().filter(|entry| entry["destination"] == name).cloned().collect() };
    let told = ["vendor", "own", "gone"].map(|name| {
        let entries = of(name);
        let requests = ["left", "not_sent"].map(|fate| sum(&entries, fate, "requests"));
        (requests, acts(&entries, "addresses-in-text"))
    });
    assert_eq!(told, [([1, 0], 1), ([1, 0], 0), ([0, 1], 0)]);
    assert_ne!(of("vendor")[0]["policy"], of("own")[0]["policy"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_policy_ends_a_period_and_a_killed_process_is_told_by_the_next() {
    let destination = Destination::default();
    let folder = Folder::new(&destination.clone().start().await, "");
    let process = folder.start();
    let agent = Agent::connect(process.listen).await;
    assert_eq!(agent.export(&log("10.0.0.1")).await.code(), Code::Ok);
    folder.write_policy("2028-12-31");
    eventually("it is loaded", || async { process.log().contains("\"reloaded\"") }).await;
    assert_eq!(agent.export(&log("10.0.0.1")).await.code(), Code::Ok);
    tokio::task::spawn_blocking(move || {
        process.signal("KILL");
        process.ended()
    })
    .await
    .unwrap();
    // What was to be an entry when it fell.
    let file = fs::read_dir(folder.trail()).unwrap().next().unwrap().unwrap().path();
    let torn = [fs::read(&file).unwrap(), b"{\"seq\":5,\"ti".to_vec()].concat();
    fs::write(&file, torn).unwrap();
    let (code, said) = folder.verify();
    assert!(code == Some(0) && said.contains("jsonl:5: the last line is the beginning of an entry"), "{said}");

    let process = folder.start();
    tokio::task::spawn_blocking(move || process.terminate()).await.unwrap();
    let (code, said) = folder.verify();
    assert!(code == Some(0) && said.contains("without a last entry before entry 6"), "{said}");
    let text = folder.text();
    let entries: Vec<Json> = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let kinds: Vec<_> = entries.iter().map(|entry| entry["entry"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["start", "in_force", "period", "in_force", "recovered", "start", "in_force", "stop"]);
    assert_eq!(entries[2]["because"], "reload");
    assert_ne!(entries[1]["policy"], entries[3]["policy"]);

    let report = privet(&["audit", "report", folder.trail().to_str().unwrap()]).output().unwrap();
    let report = String::from_utf8(report.stdout).unwrap();
    assert!(report.contains("Exception from `addresses-in-text`: it is published (ann, until 2028-12-31)"), "{report}");
    assert!(report.contains("is not counted"), "{report}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_trail_is_named_and_carried_on() {
    let destination = Destination::default();
    let folder = Folder::new(&destination.clone().start().await, "");
    for _ in 0..2 {
        let process = folder.start();
        tokio::task::spawn_blocking(move || process.terminate()).await.unwrap();
    }
    let file = fs::read_dir(folder.trail()).unwrap().next().unwrap().unwrap().path();
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replacen("vendor", "friend", 1)).unwrap();
    let process = folder.start();
    tokio::task::spawn_blocking(move || process.terminate()).await.unwrap();
    let (code, said) = folder.verify();
    assert!(code == Some(1) && said.contains("jsonl:2: this entry was changed"), "{said}");
    assert_eq!(folder.text().lines().count(), 9, "a broken trail goes on");
    let report = privet(&["audit", "report", folder.trail().to_str().unwrap()]).output().unwrap();
    assert_eq!(report.status.code(), Some(1));
    assert!(String::from_utf8(report.stdout).unwrap().contains("THE TRAIL IS BROKEN"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_required_trail_that_cannot_be_written_lets_nothing_leave() {
    let destination = Destination::default();
    let folder = Folder::new(&destination.clone().start().await, "  interval: 1s\n  required: true\n");
    // A limit on the size of files: what is beyond it is written in part and refused, as by a full disk.
    let config = folder.path().join("privet.yaml");
    let command = format!(
        "trap '' XFSZ; ulimit -f 16; exec {} run --listen 127.0.0.1:0 --admin 127.0.0.1:0 --ports-file {} --config {}",
        env!("CARGO_BIN_EXE_privet"),
        folder.path().join("ports").display(),
        config.display()
    );
    let mut child = Command::new("bash").args(["-c", &command]).stderr(std::process::Stdio::null()).spawn().unwrap();
    let ports = folder.path().join("ports");
    eventually("it listens", || async { ports.exists() }).await;
    let ports: Json = serde_json::from_str(&fs::read_to_string(&ports).unwrap()).unwrap();
    let address = |name: &str| ports[name].as_str().unwrap().parse::<std::net::SocketAddr>().unwrap();
    let (agent, admin) = (Agent::connect(address("listen")).await, address("admin"));
    assert_eq!(agent.export(&log("x")).await.code(), Code::Ok);
    let arrived = Arc::clone(&destination.logs);
    let pid = child.id().to_string();
    eventually("the file is at its limit", || async {
        // Each reload writes what left before it.
        Command::new("kill").args(["-HUP", &pid]).status().unwrap();
        agent.export(&log("x")).await.code() == Code::Unavailable
    })
    .await;
    let before = arrived.lock().unwrap().len();
    assert_eq!(agent.export(&log("x")).await.code(), Code::Unavailable);
    assert_eq!(arrived.lock().unwrap().len(), before, "nothing leaves");
    let metrics = tokio::task::spawn_blocking(move || get(admin, "/metrics").1).await.unwrap();
    assert!(metrics.contains("privet_audit_last_write_successful 0\n"), "{metrics}");
    assert!(metrics.contains("reason=\"audit_failed\""), "{metrics}");
    child.kill().unwrap();
    child.wait().unwrap();
    let (code, said) = folder.verify();
    assert_eq!(code, Some(0), "nothing half written is left: {said}");
    assert!(!said.contains("beginning of an entry"), "{said}");
}

#[test]
fn a_directory_that_cannot_be_used_is_refused_before_anything_listens() {
    let folder = Folder::new("http://127.0.0.1:1", "");
    fs::write(folder.trail(), "a file").unwrap();
    let (code, said) = run(&["run", "--config", folder.path().join("privet.yaml").to_str().unwrap()]);
    assert!(code == 73 && said.contains("the audit trail cannot be written"), "{code}: {said}");
    let (code, said) = run(&["audit", "verify", folder.path().to_str().unwrap()]);
    assert!(code == 66 && said.contains("no audit trail is there"), "{code}: {said}");
}
