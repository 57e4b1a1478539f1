//! `privet reload`: whether the sidecar took what its files say now.

use std::fs;
use std::process::Stdio;

use crate::{free, privet, run};

#[test]
fn what_is_wrong_is_told_and_the_last_good_policy_stays() {
    let folder = tempfile::tempdir().unwrap();
    let policy = folder.path().join("policy.yaml");
    fs::write(&policy, "version: 1\nextends: [base]\n").unwrap();
    let admin = free();
    let mut sidecar = privet(&["run", "--listen", "127.0.0.1:0", "--admin", &admin, "--policy"]);
    let mut sidecar = sidecar.arg(&policy).stderr(Stdio::null()).spawn().unwrap();
    let ready = || run(&["health", "--admin", &admin], b"").code == 0;
    while !ready() {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let good = run(&["reload", "--admin", &admin], b"");
    fs::write(&policy, "rulez: []\n").unwrap();
    let bad = run(&["reload", "--admin", &admin], b"");
    let still = ready();
    sidecar.kill().unwrap();
    sidecar.wait().unwrap();
    assert_eq!(good.code, 0, "{}", good.stderr);
    assert_eq!(bad.code, 1, "{}", bad.stderr);
    assert!(bad.stderr.contains("policy.yaml"), "{}", bad.stderr);
    assert!(still, "it goes on");
    let gone = run(&["reload", "--admin", &admin], b"");
    assert_eq!(gone.code, 69, "{}", gone.stderr);
}
