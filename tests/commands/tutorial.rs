//! `docs/tutorial.md`, typed as it stands: its files are written, its commands run in order, and what it shows is said.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

const PAGE: &str = include_str!("../../docs/tutorial.md");

/// A fenced block, and the file that it is, if the line above names one.
struct Block<'a> {
    file: Option<&'a str>,
    language: &'a str,
    text: &'a str,
}

fn blocks() -> Vec<Block<'static>> {
    let mut blocks = Vec::new();
    let mut pieces = PAGE.split("```");
    while let (Some(before), Some(block)) = (pieces.next(), pieces.next()) {
        let above = before.trim_end().lines().last().unwrap_or("");
        let named = above.strip_prefix('`').filter(|_| above.ends_with(':')).and_then(|rest| rest.split_once('`'));
        let (language, text) = block.split_once('\n').expect("a block has lines");
        blocks.push(Block { file: named.map(|(file, _)| file), language, text });
    }
    blocks
}

/// In a shell, as somebody whom git knows.
fn shell(folder: &Path, command: &str) -> Output {
    let binary = Path::new(env!("CARGO_BIN_EXE_privet")).parent().expect("a folder");
    let path = format!("{}:{}", binary.display(), std::env::var("PATH").unwrap_or_default());
    let mut shell = Command::new("sh");
    shell.args(["-ec", command]).current_dir(folder).env("PATH", path).env("GITHUB_BASE_REF", "main");
    shell.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
    for (who, mail) in [("GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL"), ("GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL")] {
        shell.env(who, "Somebody").env(mail, "somebody@example.com");
    }
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("PRIVET_") || name == "GIT_DIR") {
        shell.env_remove(name);
    }
    shell.output().expect("a shell")
}

/// A command that must succeed.
fn done(folder: &Path, command: &str) {
    let output = shell(folder, command);
    assert!(output.status.success(), "{command}:\n{}", said(&output));
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// What `pre-commit install` comes to: git's own hook, with the entry of the file.
fn install_hook(folder: &Path) {
    let config = fs::read_to_string(folder.join(".pre-commit-config.yaml")).expect("the page writes it");
    let entry = config.lines().find_map(|line| line.trim().strip_prefix("entry: ")).expect("an entry");
    let hook = folder.join(".git/hooks/pre-commit");
    fs::create_dir_all(folder.join(".git/hooks")).unwrap();
    fs::write(&hook, format!("#!/bin/sh\nexec {entry}\n")).unwrap();
    fs::set_permissions(hook, fs::Permissions::from_mode(0o755)).unwrap();
}

/// Types the page into a folder; how many commands that were.
fn type_in(folder: &Path) -> usize {
    let mut typed = 0;
    for block in blocks() {
        if let Some(file) = block.file {
            let path = folder.join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, block.text).unwrap();
            continue;
        }
        assert_eq!(block.language, "console", "a block that is neither a file nor commands:\n{}", block.text);
        for command in block.text.split("$ ").skip(1) {
            let (command, shown) = command.split_once('\n').expect("a line");
            typed += 1;
            if command == "pre-commit install" {
                install_hook(folder);
                continue;
            }
            let output = shell(folder, command);
            let expected = i32::from(command.ends_with("# ends with 1"));
            assert_eq!(output.status.code(), Some(expected), "{command}:\n{}", said(&output));
            for line in shown.lines() {
                let said = said(&output);
                assert!(said.lines().any(|other| other == line), "{command} does not say\n{line}\nbut\n{said}");
            }
        }
    }
    typed
}

#[test]
fn the_tutorial_is_true_and_its_gate_refuses_what_nobody_agreed_to() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    assert!(type_in(folder) > 15);
    let log = said(&shell(folder, "git log --format=%s"));
    assert_eq!(log.lines().count(), 3, "what was refused is not there:\n{log}");

    // The same in a pull request: each step of the workflow, in a clone.
    done(folder, "git clone -q . ci");
    let ci = folder.join("ci");
    let workflow = fs::read_to_string(ci.join(".github/workflows/policy.yaml")).unwrap();
    let steps: Vec<&str> = workflow.lines().filter_map(|line| line.trim().strip_prefix("- run: ")).collect();
    let [install, steps @ .., gate] = &steps[..] else { panic!("{workflow}") };
    assert!(install.starts_with("cargo install"), "the binary under test takes its place: {install}");
    steps.iter().chain([gate]).for_each(|step| done(&ci, step));
    assert!(fs::read_to_string(ci.join("check.sarif")).unwrap().contains("\"version\": \"2.1.0\""));

    // Without the acknowledgement, and with one that came with an earlier change.
    done(&ci, "sed -i '$d' policy/acknowledged");
    assert_eq!(shell(&ci, gate).status.code(), Some(1));
    done(&ci, "git checkout -q HEAD policy && git checkout -q origin/main -- policy/policy.yaml");
    done(&ci, "git commit -q -a -m 'As it was' && git update-ref refs/remotes/origin/main HEAD");
    done(&ci, "git checkout -q HEAD~1 -- policy/policy.yaml");
    let output = shell(&ci, gate);
    assert_eq!(output.status.code(), Some(1), "an acknowledgement is good once:\n{}", said(&output));
    assert!(said(&output).contains("logs.attributes.shop.tier"), "{}", said(&output));
}
