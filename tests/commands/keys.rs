//! What the key holder uses, as the key holder meets it: rotate, retire, destroy, map; token, match, reveal.

use std::fs;

use super::run;

/// Epoch 7 with the secret 00 01 02 … 1f, as in the tests of pseudonyms.
const KEYRING: &str = "version = 1\n[[epoch]]\nid = 7\nstate = \"active\"\nnot_before = \"2026-01-01T00:00:00Z\"\nsecret = \"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\"\n";

struct Holder(tempfile::TempDir);

impl Holder {
    fn new() -> Holder {
        let holder = Holder(tempfile::tempdir().unwrap());
        fs::write(holder.path("keyring"), KEYRING).unwrap();
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(holder.path("keyring"), fs::Permissions::from_mode(0o600)).unwrap();
        holder
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).display().to_string()
    }

    fn log(&self) -> Vec<serde_json::Value> {
        let text = fs::read_to_string(self.path("keyring.log")).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

#[test]
fn a_persons_tokens_are_given_for_every_living_epoch_and_recipient() {
    let holder = Holder::new();
    let keyring = holder.path("keyring");
    assert_eq!(run(&["keys", "rotate", &keyring], b"").code, 0);
    let arguments = [
        "token",
        "-",
        "--kind",
        "user",
        "--keyring",
        &keyring,
        "--recipient",
        "vendor",
        "--recipient",
        "other",
        "--format",
        "json",
    ];
    let ran = run(&arguments, b"alice\n");
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let said: serde_json::Value = serde_json::from_str(ran.text()).unwrap();
    let tokens = said["tokens"].as_array().unwrap();
    assert_eq!(tokens.len(), 4);
    let of = |epoch, recipient| {
        tokens.iter().find(|row| row["epoch"] == epoch && row["recipient"] == recipient).unwrap()["token"]
            .as_str()
            .unwrap()
    };
    assert_eq!(of(7, "vendor"), "user_7_9kkp2q85adf6gdx3epyc8qs5x", "as an independent implementation has it");
    ran.hides(&["alice"]);

    fs::write(holder.path("staff"), "bob\nalice\n").unwrap();
    let staff = holder.path("staff");
    let matching = [
        "match",
        of(8, "other"),
        "--kind",
        "user",
        "--candidates",
        &staff,
        "--keyring",
        &keyring,
        "--recipient",
        "other",
    ];
    let ran = run(&matching, b"");
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.text().contains("candidate of line 2 (epoch 8, other)"), "{}", ran.text());
    ran.hides(&["alice", "bob"]);
    assert!(run(&[&matching[..], &["--show-values"]].concat(), b"").text().contains("line 2: alice"));
    let other = [&["match", "user_7_unknown"], &matching[2..]].concat();
    assert_eq!(run(&other, b"").code, 1);

    let map = [
        "keys",
        "map",
        "7",
        "8",
        "--kind",
        "user",
        "--candidates",
        &staff,
        "--keyring",
        &keyring,
        "--recipient",
        "vendor",
    ];
    let ran = run(&map, b"");
    assert!(ran.text().contains(&format!("{},{}", of(7, "vendor"), of(8, "vendor"))), "{}{}", ran.text(), ran.stderr);
    ran.hides(&["alice", "bob"]);

    let uses: Vec<_> = holder.log().iter().map(|line| line["use"].as_str().unwrap().to_owned()).collect();
    assert_eq!(uses, ["rotate", "token", "match", "match", "match", "map"]);
    assert!(!fs::read_to_string(holder.path("keyring.log")).unwrap().contains("alice"));
}

#[test]
fn what_can_be_reversed_is_revealed_to_the_key_holder_and_shown_when_asked() {
    let holder = Holder::new();
    let keyring = holder.path("keyring");
    let token = "user_7~ca4dzpqta4vq93shk880wba8q5evfew1yc5ts2jqg95hbdprwhw0";
    let reveal = ["reveal", token, "--keyring", &keyring, "--recipient", "vendor"];
    let ran = run(&reveal, b"");
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    ran.hides(&["alice"]);
    assert!(run(&[&reveal[..], &["--show-values"]].concat(), b"").text().contains("alice (epoch 7, vendor)"));
    let stranger = ["reveal", token, "--keyring", &keyring, "--recipient", "stranger"];
    assert_eq!(run(&stranger, b"").code, 1);
    let subnet = [
        "reveal",
        "215.67.84.122",
        "--form",
        "subnet",
        "--epoch",
        "7",
        "--keyring",
        &keyring,
        "--recipient",
        "vendor",
        "--show-values",
    ];
    let ran = run(&subnet, b"");
    assert!(ran.text().contains("192.0.2.1"), "{}{}", ran.text(), ran.stderr);
}

#[test]
fn an_epoch_is_destroyed_only_when_its_number_is_typed() {
    let holder = Holder::new();
    let keyring = holder.path("keyring");
    let destroy = ["keys", "destroy", &keyring, "7"];
    assert_eq!(run(&destroy, b"7\n").code, 64, "it makes the tokens");
    assert_eq!(run(&["keys", "rotate", &keyring], b"").code, 0);
    assert_eq!(run(&destroy, b"yes\n").code, 1);
    assert!(fs::read_to_string(&keyring).unwrap().contains("AAECAw"), "nothing was destroyed");
    assert_eq!(run(&["keys", "retire", &keyring, "7"], b"").code, 0);
    let ran = run(&destroy, b"7\n");
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(!fs::read_to_string(&keyring).unwrap().contains("AAECAw"));
    let last = holder.log().pop().unwrap();
    assert_eq!((last["use"].as_str(), last["epoch"].as_u64()), (Some("destroy"), Some(7)));
    let matching = ["token", "alice", "--kind", "user", "--keyring", &keyring, "--recipient", "vendor"];
    assert!(!run(&matching, b"").text().contains("user_7_"), "a destroyed epoch makes no tokens");
    assert_eq!(run(&["keys", "check", &keyring], b"").code, 0);
}
