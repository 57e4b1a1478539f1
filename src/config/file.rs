//! `privet.yaml`, read with the policy's machinery: every mistake at once, each with its place and what was meant.

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use super::{Config, Destination, Shadow, To};
use crate::observe::audit;
use crate::policy::reader::Reader;
use crate::policy::yaml::{self, Node, Yaml};
use crate::policy::{Code, Diagnostic, Diagnostics, Source};
use crate::receive::Limits;
use crate::send::{Grpc, Header, Tls};

const ROOT: &[&str] = &[
    "listen",
    "admin",
    "destination",
    "destinations",
    "recipient",
    "keyring",
    "policy",
    "shadow",
    "threads",
    "timeout",
    "drain",
    "limits",
    "audit",
];
const DESTINATION: &[&str] =
    &["name", "endpoint", "recipient", "policy", "required", "region", "shadow", "gzip", "keepalive", "headers", "tls"];
/// Those of them that say how gRPC is spoken.
const GRPC: [&str; 4] = ["gzip", "keepalive", "headers", "tls"];
const SHADOW: &[&str] = &["policy", "sample"];
const HEADER: &[&str] = &["name", "value", "file", "prefix"];
const TLS: &[&str] = &["ca", "certificate", "key", "server_name", "min_version"];
const LIMITS: &[&str] = &[
    "message_bytes",
    "decompressed_bytes",
    "in_flight_bytes",
    "streams",
    "connections",
    "header_bytes",
    "arrival",
    "idle",
];

const AUDIT: &[&str] = &["directory", "interval", "file_bytes", "keep_days", "required"];

/// Messages have 32-bit lengths on the wire.
const MESSAGE: RangeInclusive<i64> = 1024..=1 << 30;

impl Config {
    /// Reads a configuration file. Paths in it start from the file's own folder.
    pub fn load(path: &Path) -> Result<Config, Diagnostics> {
        let name = path.display().to_string();
        match std::fs::read_to_string(path) {
            Ok(text) => Config::parse(&name, &text, path.parent().unwrap_or(Path::new(""))),
            Err(error) => {
                let unread = Diagnostic::error(Code::CannotRead, 0, 0..0, format!("cannot read {name}: {error}"));
                Err(Diagnostics { sources: vec![Source { name, text: String::new() }], items: vec![unread] })
            }
        }
    }

    /// Reads a configuration's text; `name` stands for it in messages, `folder` is where its paths start.
    pub fn parse(name: &str, text: &str, folder: &Path) -> Result<Config, Diagnostics> {
        let mut found = Vec::new();
        let mut config = Config::default();
        match yaml::parse(text) {
            Ok(root) => {
                let mut file = File { reader: Reader { file: 0, text, found: &mut found }, folder };
                file.root(&root, &mut config);
            }
            Err(wrong) => {
                let message = "this is not YAML that can be read";
                found.push(Diagnostic::error(Code::NotYaml, 0, wrong.at, message).label(wrong.message));
            }
        }
        let sources = vec![Source { name: name.to_owned(), text: text.to_owned() }];
        if found.is_empty() { Ok(config) } else { Err(Diagnostics { sources, items: found }) }
    }
}

struct File<'a> {
    reader: Reader<'a>,
    folder: &'a Path,
}

impl File<'_> {
    fn root(&mut self, node: &Node, config: &mut Config) {
        if matches!(node.value, Yaml::Null) {
            return;
        }
        let Some(fields) = self.reader.fields(node, "privet.yaml", ROOT) else { return };
        let each = |key| fields.get(key);
        if let Some(listen) = each("listen").and_then(|node| self.parsed(node, "an address such as 127.0.0.1:4317")) {
            config.listen = listen;
        }
        if let Some(node) = each("admin") {
            if is_word(node, "off") {
                config.admin = None;
            } else if let Some(admin) = self.parsed(node, "an address such as 127.0.0.1:9464, or `off`") {
                config.admin = Some(admin);
            }
        }
        match (each("destination"), each("destinations")) {
            (Some(node), None) => config.destinations.splice(.., self.destination(node)).for_each(drop),
            (None, Some(node)) => config.destinations = self.destinations(node),
            (Some(_), Some(node)) => {
                self.reader.error(Code::OptionDoesNotFit, &node.at, "there is a `destination` already: list it here");
            }
            (None, None) => {}
        }
        config.recipient = each("recipient").and_then(|node| self.reader.text(node)).map(|text| text.value);
        config.keyring = each("keyring").and_then(|node| self.path(node));
        config.policies = self.paths(each("policy"));
        config.shadow = each("shadow").and_then(|node| self.shadow(node));
        self.number(each("threads"), 1..=1024, &mut config.threads);
        self.duration(each("timeout"), &mut config.timeout);
        self.duration(each("drain"), &mut config.drain);
        if let Some(node) = each("limits") {
            self.limits(node, &mut config.limits);
        }
        config.audit = each("audit").and_then(|node| self.audit(node));
    }

    fn destinations(&mut self, node: &Node) -> Vec<Destination> {
        let Some(items) = self.reader.filled_list(node, "name one destination or more") else { return Vec::new() };
        let mut destinations: Vec<Destination> = Vec::new();
        for item in items {
            let Some(destination) = self.destination(item) else { continue };
            let named =
                matches!(&item.value, Yaml::Map(entries) if entries.iter().any(|(key, _)| is_word(key, "name")));
            if !named {
                self.reader.error(Code::MissingField, &item.at, "each of several destinations needs a `name`");
            } else if destinations.iter().any(|known| known.name == destination.name) {
                let message = format!("there are two destinations `{}`", destination.name);
                self.reader.error(Code::OptionDoesNotFit, &item.at, message);
            } else if matches!(destination.to, To::Stdout) && destinations.iter().any(|to| matches!(to.to, To::Stdout))
            {
                self.reader.error(Code::OptionDoesNotFit, &item.at, "there is one standard output only");
            }
            destinations.push(destination);
        }
        if !destinations.is_empty() && destinations.iter().all(|destination| !destination.required) {
            let message = "at least one destination must be required: an agent would be told nothing of its data";
            self.reader.error(Code::OptionDoesNotFit, &node.at, message);
        }
        destinations
    }

    fn destination(&mut self, node: &Node) -> Option<Destination> {
        if let Yaml::Text(_) = node.value {
            return self.to(node).map(Destination::from);
        }
        let fields = self.reader.fields(node, "a destination", DESTINATION)?;
        let Some(endpoint) = fields.get("endpoint") else {
            self.reader.error(Code::MissingField, &node.at, "a destination needs an `endpoint`");
            return None;
        };
        let mut destination = Destination::from(self.to(endpoint)?);
        match &mut destination.to {
            To::Stdout => {
                for node in GRPC.iter().filter_map(|key| fields.get(key)) {
                    self.reader.error(Code::OptionDoesNotFit, &node.at, "this belongs to a destination at a URL");
                }
            }
            To::Grpc(grpc) => {
                let level = fields.get("gzip").and_then(|node| self.reader.number(node, 1..=9));
                grpc.gzip = level.and_then(|level| level.try_into().ok());
                self.duration(fields.get("keepalive"), &mut grpc.keepalive);
                if let Some(items) = fields.get("headers").and_then(|node| self.reader.list(node)) {
                    grpc.headers = items.iter().filter_map(|item| self.header(item)).collect();
                }
                if let Some(tls) = fields.get("tls") {
                    grpc.tls = self.tls(tls)?;
                }
            }
        }
        if let Some(name) = fields.get("name").and_then(|node| self.name(node)) {
            destination.name = name;
        }
        destination.region = fields.get("region").and_then(|node| self.name(node));
        destination.recipient = fields.get("recipient").and_then(|node| self.reader.text(node)).map(|text| text.value);
        destination.policies = self.paths(fields.get("policy"));
        destination.shadow = fields.get("shadow").and_then(|node| self.shadow(node));
        if let Some(required) = fields.get("required").and_then(|node| self.reader.boolean(node)) {
            destination.required = required;
        }
        Some(destination)
    }

    fn shadow(&mut self, node: &Node) -> Option<Shadow> {
        let fields = self.reader.fields(node, "shadow", SHADOW)?;
        let policies = self.paths(fields.get("policy"));
        if policies.is_empty() {
            self.reader.error(Code::MissingField, &node.at, "a shadow needs a `policy`: the candidate");
            return None;
        }
        let sample = match fields.get("sample") {
            Some(sample) => self.reader.float(sample).map(|share| (sample, share)),
            None => return Some(Shadow { policies, sample: 1.0 }),
        };
        let (node, sample) = sample?;
        if sample > 0.0 && sample <= 1.0 {
            return Some(Shadow { policies, sample });
        }
        self.reader.error(Code::OutOfRange, &node.at, "this must be above 0, and at most 1");
        None
    }

    /// What may be a label of a metric and a word of a policy.
    fn name(&mut self, node: &Node) -> Option<String> {
        let text = self.reader.text(node)?.value;
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        if text.is_empty() || text.len() > 64 || !text.bytes().all(fits) {
            self.wrong(node, "a short name: letters, digits, `-`, `_` and `.`");
            return None;
        }
        Some(text)
    }

    fn paths(&mut self, node: Option<&Node>) -> Vec<PathBuf> {
        let items = node.and_then(|node| self.reader.list(node)).unwrap_or_default();
        items.iter().filter_map(|item| self.path(item)).collect()
    }

    fn to(&mut self, node: &Node) -> Option<To> {
        if is_word(node, "stdout") {
            return Some(To::Stdout);
        }
        self.endpoint(node).map(|endpoint| To::Grpc(Grpc::new(endpoint)))
    }

    fn endpoint(&mut self, node: &Node) -> Option<crate::send::Endpoint> {
        let text = self.reader.text(node)?.value;
        text.parse().map_err(|error| self.wrong(node, &format!("{error}"))).ok()
    }

    fn header(&mut self, node: &Node) -> Option<Header> {
        let fields = self.reader.fields(node, "a header", HEADER)?;
        let mut text = |key| fields.get(key).and_then(|node| self.reader.text(node)).map(|text| text.value);
        let (name, value, prefix) = (text("name"), text("value"), text("prefix"));
        let file = fields.get("file").and_then(|node| self.path(node));
        match (name, value, file) {
            (Some(name), None, Some(file)) => {
                Some(Header { name, prefix: prefix.unwrap_or_default(), file: Some(file) })
            }
            (Some(name), Some(value), None) if prefix.is_none() => Some(Header { name, prefix: value, file: None }),
            _ => {
                self.reader.error(Code::MissingField, &node.at, "a header has a `name`, and a `value` or a `file`");
                None
            }
        }
    }

    fn tls(&mut self, node: &Node) -> Option<Tls> {
        let fields = self.reader.fields(node, "tls", TLS)?;
        let mut path = |key| fields.get(key).and_then(|node| self.path(node));
        let (ca, certificate, key) = (path("ca"), path("certificate"), path("key"));
        let server_name = fields.get("server_name").and_then(|node| self.reader.text(node)).map(|text| text.value);
        let versions = [("1.2", true), ("1.3", false)];
        let allow_tls12 = match fields.get("min_version") {
            // Without quotes YAML takes it for a number.
            Some(Node { value: Yaml::Float(version), .. }) if *version == 1.2 => true,
            Some(Node { value: Yaml::Float(version), .. }) if *version == 1.3 => false,
            Some(node) => self.reader.word(node, Code::OutOfRange, "TLS version", &versions)?,
            None => false,
        };
        Some(Tls { ca, certificate, key, server_name, allow_tls12 })
    }

    fn limits(&mut self, node: &Node, limits: &mut Limits) {
        let Some(fields) = self.reader.fields(node, "limits", LIMITS) else { return };
        self.number(fields.get("message_bytes"), MESSAGE, &mut limits.message);
        self.number(fields.get("decompressed_bytes"), MESSAGE, &mut limits.decompressed);
        self.number(fields.get("in_flight_bytes"), 1 << 20..=1 << 40, &mut limits.in_flight);
        self.number(fields.get("streams"), 1..=100_000, &mut limits.streams);
        self.number(fields.get("connections"), 1..=1_000_000, &mut limits.connections);
        self.number(fields.get("header_bytes"), 1024..=1 << 20, &mut limits.headers);
        self.duration(fields.get("arrival"), &mut limits.arrival);
        self.duration(fields.get("idle"), &mut limits.idle);
    }

    fn audit(&mut self, node: &Node) -> Option<audit::Settings> {
        let fields = self.reader.fields(node, "audit", AUDIT)?;
        let directory = fields.required("directory", &mut self.reader).and_then(|node| self.path(node))?;
        let mut settings = audit::Settings::new(directory);
        self.duration(fields.get("interval"), &mut settings.interval);
        self.number(fields.get("file_bytes"), 64 << 10..=1 << 40, &mut settings.file_bytes);
        settings.keep_days =
            fields.get("keep_days").and_then(|node| self.reader.number(node, 1..=36_500)).map(|days| days as u32);
        if let Some(required) = fields.get("required").and_then(|node| self.reader.boolean(node)) {
            settings.required = required;
        }
        Some(settings)
    }

    fn number<T: TryFrom<i64>>(&mut self, node: Option<&Node>, bounds: RangeInclusive<i64>, into: &mut T) {
        let read = node.and_then(|node| self.reader.number(node, bounds)).and_then(|number| T::try_from(number).ok());
        if let Some(value) = read {
            *into = value;
        }
    }

    fn duration(&mut self, node: Option<&Node>, into: &mut Duration) {
        let Some(node) = node else { return };
        let parsed = self
            .reader
            .text(node)
            .and_then(|text| text.value.parse::<jiff::SignedDuration>().ok())
            .and_then(|duration| Duration::try_from(duration).ok())
            .filter(|duration| !duration.is_zero());
        match parsed {
            Some(duration) => *into = duration,
            None => self.wrong(node, "a duration such as `10s` or `1m 30s`"),
        }
    }

    fn parsed<T: FromStr>(&mut self, node: &Node, wanted: &str) -> Option<T> {
        let text = self.reader.text(node)?.value;
        text.parse().map_err(|_| self.wrong(node, wanted)).ok()
    }

    fn path(&mut self, node: &Node) -> Option<PathBuf> {
        self.reader.text(node).map(|text| self.folder.join(text.value))
    }

    fn wrong(&mut self, node: &Node, wanted: &str) {
        self.reader.error(Code::WrongType, &node.at, "this value cannot be used").label = format!("expected {wanted}");
    }
}

fn is_word(node: &Node, word: &str) -> bool {
    matches!(&node.value, Yaml::Text(text) if text == word)
        || (word == "off" && matches!(node.value, Yaml::Bool(false)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Config, String> {
        Config::parse("privet.yaml", text, Path::new("/etc/privet")).map_err(|wrong| wrong.to_string())
    }

    #[test]
    fn the_documented_configurations_are_some() {
        let page = include_str!("../../docs/configuration.md");
        let samples: Vec<_> = page.split("```").filter_map(|block| block.strip_prefix("yaml")).collect();
        let [one, several] = samples[..] else { panic!("two samples") };
        let config = parse(one).unwrap_or_else(|wrong| panic!("{wrong}"));
        assert_eq!(config.recipient.as_deref(), Some("vendor"));
        let documented = |limits: &Limits| format!("{limits:?}");
        assert_eq!(documented(&config.limits), documented(&Limits::default()), "the sample shows the defaults");
        let audit = audit::Settings::new("/var/lib/privet/audit".into());
        assert_eq!(config.audit, Some(audit::Settings { keep_days: Some(400), ..audit }), "and here, too");
        let config = parse(several).unwrap_or_else(|wrong| panic!("{wrong}"));
        assert_eq!(config.destinations.iter().map(|to| to.required).collect::<Vec<_>>(), [true, false, true]);
    }

    #[test]
    fn every_setting_is_read() {
        let config = parse(
            "
listen: 0.0.0.0:4317
admin: off
recipient: vendor
keyring: keyring
policy: [a.yaml, /b.yaml]
shadow: {policy: next.yaml, sample: 0.1}
threads: 4
timeout: 15s
drain: 1m 30s
destination:
  endpoint: https://otlp.vendor.example
  gzip: 1
  keepalive: 1m
  headers:
    - {name: Authorization, prefix: 'Bearer ', file: token}
    - {name: x-tenant, value: blue}
  tls: {ca: ca.pem, certificate: c.pem, key: k.pem, server_name: x.example, min_version: '1.2'}
limits: {message_bytes: 1048576, streams: 7, arrival: 2s}
audit: {directory: trail, interval: 15m, file_bytes: 1048576, keep_days: 400, required: true}
",
        )
        .unwrap();
        let [destination @ Destination { to: To::Grpc(grpc), .. }] = &config.destinations[..] else {
            panic!("not gRPC")
        };
        assert_eq!(grpc.endpoint.to_string(), "https://otlp.vendor.example:4317");
        assert_eq!((grpc.gzip, grpc.keepalive), (Some(1), Duration::from_secs(60)));
        assert_eq!(grpc.headers[0].file.as_deref(), Some(Path::new("/etc/privet/token")));
        assert_eq!(grpc.headers[1].prefix, "blue");
        assert!(grpc.tls.allow_tls12 && grpc.tls.ca.is_some());
        assert_eq!((config.admin, config.threads, config.recipient(destination)), (None, 4, "vendor"));
        assert!(destination.required && destination.region.is_none());
        assert_eq!(config.policies, [Path::new("/etc/privet/a.yaml"), Path::new("/b.yaml")]);
        let shadow = config.shadow(destination).unwrap();
        assert_eq!((&*shadow.policies, shadow.sample), (&[PathBuf::from("/etc/privet/next.yaml")][..], 0.1));
        assert_eq!((config.timeout, config.drain), (Duration::from_secs(15), Duration::from_secs(90)));
        assert_eq!((config.limits.message, config.limits.streams), (1 << 20, 7));
        let expected = audit::Settings {
            directory: "/etc/privet/trail".into(),
            interval: Duration::from_secs(15 * 60),
            file_bytes: 1 << 20,
            keep_days: Some(400),
            required: true,
        };
        assert_eq!(config.audit, Some(expected));
    }

    #[test]
    fn several_destinations_have_each_their_own() {
        let config = parse(
            "
policy: [base.yaml]
destinations:
  - {name: vendor, endpoint: 'https://otlp.vendor.example', region: eu-central-1, policy: [vendor.yaml]}
  - {name: own, endpoint: 'http://127.0.0.1:5317', recipient: us, required: false}
  - {name: screen, endpoint: stdout}
",
        )
        .unwrap();
        let told: Vec<_> = config
            .destinations
            .iter()
            .map(|to| (to.name.as_str(), config.recipient(to), config.policies(to), to.required, to.region.as_deref()))
            .collect();
        let [vendor, base] = ["vendor", "base"].map(|name| [PathBuf::from(format!("/etc/privet/{name}.yaml"))]);
        assert_eq!(
            told,
            [
                ("vendor", "otlp.vendor.example", &vendor[..], true, Some("eu-central-1")),
                ("own", "us", &base[..], false, None),
                ("screen", "local", &base[..], true, None),
            ]
        );
    }

    #[test]
    fn destinations_that_cannot_be_meant_are_refused() {
        let one = "{name: a, endpoint: 'http://a.example'}";
        for (destinations, said) in [
            ("[]".to_owned(), "this list is empty"),
            ("[{endpoint: stdout}]".to_owned(), "needs a `name`"),
            ("['http://a.example']".to_owned(), "needs a `name`"),
            (format!("[{one}, {one}]"), "two destinations `a`"),
            ("[{name: a, endpoint: stdout}, {name: b, endpoint: stdout}]".to_owned(), "one standard output"),
            ("[{name: a, endpoint: stdout, required: false}]".to_owned(), "must be required"),
            ("[{name: a, endpoint: stdout, gzip: 1}]".to_owned(), "belongs to a destination at a URL"),
            ("[{name: a b, endpoint: stdout}]".to_owned(), "a short name"),
            ("[{name: a, endpoint: stdout, regoin: eu}]".to_owned(), "did you mean `region`"),
            (format!("[{one}]\ndestination: stdout"), "there is a `destination` already"),
        ] {
            let wrong = parse(&format!("destinations: {destinations}\n")).expect_err(&destinations);
            assert!(wrong.contains(said), "{said} is not in:\n{wrong}");
        }
    }

    #[test]
    fn a_destination_has_its_own_shadow_or_the_configurations() {
        let config = parse(
            "shadow: {policy: [a.yaml]}
destinations:
  - {name: vendor, endpoint: 'http://a.example', shadow: {policy: [b.yaml, c.yaml], sample: 1}}
  - {name: screen, endpoint: stdout}
",
        )
        .unwrap();
        let candidates = config.destinations.iter().map(|to| config.shadow(to).unwrap().policies.len());
        assert_eq!(candidates.collect::<Vec<_>>(), [2, 1]);
        for (shadow, said) in [
            ("{sample: 1}", "needs a `policy`"),
            ("{policy: []}", "needs a `policy`"),
            ("{policy: a.yaml, sample: 0}", "above 0"),
            ("{policy: a.yaml, sample: 1.1}", "at most 1"),
            ("{policy: a.yaml, sampel: 1}", "did you mean `sample`"),
            ("a.yaml", "mapping"),
        ] {
            let wrong = parse(&format!("shadow: {shadow}\n")).expect_err(shadow);
            assert!(wrong.contains(said), "{said} is not in:\n{wrong}");
        }
    }

    #[test]
    fn all_mistakes_are_told_at_once_with_their_places() {
        let wrong =
            parse("lisen: 127.0.0.1:1\ntimeout: soon\ndestination: otlp.example:4317\nthreads: 0\n").unwrap_err();
        for part in
            ["privet.yaml:1:1", "did you mean `listen`", "privet.yaml:2:", "`10s`", "http:// or https://", "from 1 to"]
        {
            assert!(wrong.contains(part), "{part} is not in:\n{wrong}");
        }
    }

    #[test]
    fn an_empty_file_is_the_default() {
        assert_eq!(parse("").unwrap().listen, Config::default().listen);
    }
}
