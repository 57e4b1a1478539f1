//! Policies swapped while requests flow.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use privet::grpc::Code;
use privet::run::start;

use crate::support::agent::Agent;
use crate::support::destination::Destination;
use crate::support::process::Process;
use crate::support::{config, eventually, get, log};

const SWAPS: usize = 1_000;
const RECORDS: usize = 40;

/// A mounted ConfigMap: two policy files, links through `..data`, which is itself a link to one of the versions.
struct Mounted(tempfile::TempDir);

impl Mounted {
    /// Version `a` takes the attributes a1 and a2 away, one by each file, and `b` b1 and b2.
    fn new() -> Mounted {
        let mounted = Mounted(tempfile::tempdir().unwrap());
        for version in ["a", "b"] {
            for file in ["1", "2"] {
                let key = format!("{version}{file}");
                mounted.write(version, file, &format!("  - {{name: {key}, keys: [{key}], action: stay}}\n"));
            }
        }
        mounted.swap_to("a");
        for path in mounted.policies() {
            symlink(Path::new("..data").join(path.file_name().unwrap()), path).unwrap();
        }
        mounted
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn write(&self, version: &str, file: &str, rules: &str) {
        fs::create_dir_all(self.path().join(version)).unwrap();
        let text = format!("version: 1\nname: {version}{file}\nrules:\n{rules}");
        fs::write(self.path().join(version).join(format!("{file}.yaml")), text).unwrap();
    }

    /// As the kubelet does it.
    fn swap_to(&self, version: &str) {
        symlink(version, self.path().join("..data_tmp")).unwrap();
        fs::rename(self.path().join("..data_tmp"), self.path().join("..data")).unwrap();
    }

    fn policies(&self) -> Vec<PathBuf> {
        ["1.yaml", "2.yaml"].map(|file| self.path().join(file)).into()
    }
}

/// Records of which each version of the policy takes two attributes away, and leaves two.
fn request() -> ExportLogsServiceRequest {
    let mut request = log("x");
    let value = || Some(AnyValue { value: Some(any_value::Value::StringValue("value".into())) });
    let attribute = |key: &str| KeyValue { key: key.into(), value: value(), ..KeyValue::default() };
    let attributes = ["a1", "b1", "a2", "b2"].map(attribute).to_vec();
    let record = LogRecord { attributes, ..LogRecord::default() };
    request.resource_logs[0].scope_logs[0].log_records = vec![record; RECORDS];
    request
}

/// What is left of the attributes, in how many records.
fn left(request: &ExportLogsServiceRequest) -> (usize, BTreeSet<String>) {
    let records = &request.resource_logs[0].scope_logs[0].log_records;
    let kinds: BTreeSet<String> = records
        .iter()
        .map(|record| record.attributes.iter().map(|attribute| attribute.key.as_str()).collect::<Vec<_>>().join(" "))
        .collect();
    (records.len(), kinds)
}

fn only(kind: &str) -> BTreeSet<String> {
    BTreeSet::from([kind.to_owned()])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_thousand_swaps_no_request_is_lost_or_filtered_by_two_policies() {
    let mounted = Mounted::new();
    let destination = Destination::default();
    let mut config = config(&destination.clone().start().await);
    config.policies = mounted.policies();
    config.threads = 2;
    let running = start(&config).unwrap();
    let done = Arc::new(AtomicBool::new(false));
    let mut agents = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let (agent, done) = (Agent::connect(running.listen).await, Arc::clone(&done));
        agents.spawn(async move {
            let mut sent = 0;
            while !done.load(SeqCst) {
                let answer = agent.export(&request()).await;
                assert_eq!(answer.code(), Code::Ok, "{answer:?}");
                sent += 1;
            }
            sent
        });
    }
    let state = Arc::clone(running.state());
    let in_force = tokio::task::spawn_blocking(move || {
        let mut in_force = BTreeSet::new();
        for swap in 0..SWAPS {
            // The link is swapped while the files behind it are being read.
            std::thread::scope(|scope| {
                let reload = scope.spawn(|| state.reload());
                std::thread::sleep(std::time::Duration::from_micros(swap as u64 % 50 * 20));
                mounted.swap_to(if swap % 2 == 0 { "b" } else { "a" });
                reload.join().unwrap().unwrap();
            });
            let names = |rules: &[privet::policy::RuleInfo]| {
                rules.iter().map(|rule| rule.name.as_str()).collect::<Vec<_>>().join(" ")
            };
            in_force.insert(names(state.loaded().engine(0).policy().rules()));
        }
        in_force
    })
    .await
    .unwrap();
    done.store(true, SeqCst);
    let sent: usize = agents.join_all().await.into_iter().sum();
    assert_eq!(in_force, BTreeSet::from(["a1 a2".to_owned(), "b1 b2".to_owned()]), "no mixture is ever in force");

    let arrived = destination.logs.lock().unwrap();
    assert!(sent > 100, "{sent} requests flowed");
    assert_eq!(arrived.len(), sent);
    let kinds: BTreeSet<_> = arrived.iter().map(|request| left(request.get_ref())).collect();
    assert_eq!(kinds, BTreeSet::from([(RECORDS, only("a1 a2")), (RECORDS, only("b1 b2"))]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_swapped_config_map_is_loaded_by_itself_and_a_bad_one_leaves_the_last_good_in_force() {
    let mounted = Mounted::new();
    let destination = Destination::default();
    let url = destination.clone().start().await;
    let [first, second] = &mounted.policies()[..] else { unreachable!() };
    let policies = format!("{},{}", first.display(), second.display());
    let process = Process::start(&["--destination", &url, "--policy", &policies], &[]);
    let agent = Agent::connect(process.listen).await;
    let last = || left(destination.logs.lock().unwrap().last().unwrap().get_ref()).1;
    assert_eq!(agent.export(&request()).await.code(), Code::Ok);
    assert_eq!(last(), only("b1 b2"));

    mounted.swap_to("b");
    eventually("the other version is loaded", || async { process.log().contains("\"reloaded\"") }).await;
    assert_eq!(agent.export(&request()).await.code(), Code::Ok);
    assert_eq!(last(), only("a1 a2"));

    mounted.write("c", "1", "  - {name: c1, keyz: [c1], action: stay}\n");
    mounted.write("c", "2", "  - {name: c2, keys: [c2], action: stay}\n");
    mounted.swap_to("c");
    eventually("it is refused", || async { process.log().contains("reload refused") }).await;
    assert!(process.log().contains("1.yaml:4:"), "the place is told: {}", process.log());
    let admin = process.admin;
    let successful = move || get(admin, "/metrics").1.contains("privet_last_reload_successful 1\n");
    assert!(!tokio::task::spawn_blocking(successful).await.unwrap());
    assert_eq!(agent.export(&request()).await.code(), Code::Ok);
    assert_eq!(last(), only("a1 a2"));

    mounted.swap_to("a");
    eventually("all is well again", || async { tokio::task::spawn_blocking(successful).await.unwrap() }).await;
    assert_eq!(agent.export(&request()).await.code(), Code::Ok);
    assert_eq!(last(), only("b1 b2"));
}

#[tokio::test]
async fn a_policy_that_a_policy_extends_is_watched_too() {
    let folder = tempfile::tempdir().unwrap();
    let own = folder.path().join("own.yaml");
    let pack = folder.path().join("pack.yaml");
    let rule = |key: &str| format!("version: 1\nname: pack\nrules:\n  - {{name: r, keys: [{key}], action: stay}}\n");
    fs::write(&own, "version: 1\nname: own\nextends: [pack.yaml]\n").unwrap();
    fs::write(&pack, rule("a1")).unwrap();
    let process = Process::start(&["--policy", own.to_str().unwrap()], &[]);
    fs::write(&pack, rule("b1")).unwrap();
    eventually("it is loaded", || async { process.log().contains("\"reloaded\"") }).await;
    process.terminate();
}
