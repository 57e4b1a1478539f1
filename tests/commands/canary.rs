//! `privet canary`, with and without a sidecar in between.

use std::process::Stdio;

use crate::{free, privet, run};

#[test]
fn canaries_pass_a_sidecar_scrubbed() {
    let (listen, receive, admin) = (free(), free(), free());
    let mut sidecar = privet(&["run", "--listen", &listen, "--admin", &admin]);
    let sidecar = sidecar.args(["--destination", &format!("http://{receive}")]).stderr(Stdio::null());
    let mut sidecar = sidecar.spawn().unwrap();
    let ran = run(&["canary", "--to", &format!("http://{listen}"), "--receive", &receive], b"");
    sidecar.kill().unwrap();
    sidecar.wait().unwrap();
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.text().contains("4 signals arrived"), "{}", ran.text());
}

#[test]
fn canaries_that_nothing_filters_are_a_no() {
    let receive = free();
    let ran = run(&["canary", "--to", &format!("http://{receive}"), "--receive", &receive], b"");
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(ran.stderr.contains("lets `"), "{}", ran.stderr);
}

#[test]
fn a_sidecar_that_is_not_there_is_unavailable() {
    let ran = run(&["canary", "--to", &format!("http://{}", free()), "--wait", "1"], b"");
    assert_eq!(ran.code, 69, "{}", ran.stderr);
}
