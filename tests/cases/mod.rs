//! What must be caught, with the exact span, and what must be left alone: one table, for every path a text can take.
//!
//! Plain data, so that unit tests and integration tests can include the file alike.
#![allow(dead_code)]

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Ip,
    Email,
    Host,
    User,
    Credential,
}

/// Whether the built-in recognisers alone find it, or what else it takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    Nothing,
    /// Context in the text names a short host or a user.
    Context,
    /// A dictionary or the batch names the host.
    Names(&'static [&'static str]),
}

#[derive(Clone, Copy, Debug)]
pub struct Case {
    pub text: &'static str,
    /// In order; each is looked for behind the one before.
    pub found: &'static [(&'static str, Kind)],
    pub needs: Needs,
}

const fn case(text: &'static str, found: &'static [(&'static str, Kind)]) -> Case {
    Case { text, found, needs: Needs::Nothing }
}

const fn needs(needs: Needs, text: &'static str, found: &'static [(&'static str, Kind)]) -> Case {
    Case { text, found, needs }
}

use Kind::*;

pub const MUST_CATCH: &[Case] = &[
    // addresses
    case("10.1.2.3", &[("10.1.2.3", Ip)]),
    case("client=10.1.2.3:51544", &[("10.1.2.3", Ip)]),
    case("http://[2001:db8::1]:443/x", &[("2001:db8::1", Ip)]),
    case("route 10.0.0.0/8 via eth0", &[("10.0.0.0", Ip)]),
    case("from fe80::1%eth0 dev", &[("fe80::1", Ip)]),
    case("listening on ::1 port 22", &[("::1", Ip)]),
    case("peer ::ffff:192.0.2.1 closed", &[("::ffff:192.0.2.1", Ip)]),
    case("2001:DB8:0:0:0:0:0:1", &[("2001:DB8:0:0:0:0:0:1", Ip)]),
    case("64:ff9b::192.0.2.33", &[("64:ff9b::192.0.2.33", Ip)]),
    case("refused (10.0.0.1).", &[("10.0.0.1", Ip)]),
    case("Forwarded: for=\"[2001:db8:cafe::17]:4711\"", &[("2001:db8:cafe::17", Ip)]),
    case("X-Forwarded-For: 203.0.113.5, 10.0.0.2", &[("203.0.113.5", Ip), ("10.0.0.2", Ip)]),
    case("range 10.0.0.1-10.0.0.9", &[("10.0.0.1", Ip), ("10.0.0.9", Ip)]),
    case("conn_10.0.0.1_443", &[("10.0.0.1", Ip)]),
    case("conn_203.0.113.77_open", &[("203.0.113.77", Ip)]),
    case("{\"msg\":\"line\\n10.0.0.1\"}", &[("10.0.0.1", Ip)]),
    case("\"\\n10.0.0.1\"", &[("10.0.0.1", Ip)]),
    case("?ip=10%2E0%2E0%2E1&x=1", &[("10%2E0%2E0%2E1", Ip)]),
    case("{\"10.0.0.1\":{\"state\":\"up\"}}", &[("10.0.0.1", Ip)]),
    case("from 10.0.0.1. Closing", &[("10.0.0.1", Ip)]),
    case("src:2001:db8::1: reset", &[("2001:db8::1", Ip)]),
    case("2001:db8::/32", &[("2001:db8::", Ip)]),
    case("ip-10.0.0.1-eth0", &[("10.0.0.1", Ip)]),
    case("http://10.0.0.1:8080/10.0.0.2", &[("10.0.0.1", Ip), ("10.0.0.2", Ip)]),
    case("db-1/10.0.0.1:5432", &[("10.0.0.1", Ip)]),
    case("\u{201c}10.0.0.1\u{201d}", &[("10.0.0.1", Ip)]),
    case("root@10.0.0.1's password", &[("10.0.0.1", Ip)]),
    // host names
    case("ip-10-0-1-2.ec2.internal", &[("ip-10-0-1-2.ec2.internal", Host)]),
    case("10-0-1-2.default.pod.cluster.local", &[("10-0-1-2.default.pod.cluster.local", Host)]),
    case("2.0.0.10.in-addr.arpa", &[("2.0.0.10.in-addr.arpa", Host)]),
    case("connect to nms.corp.example.", &[("nms.corp.example", Host)]),
    case("srv_01.corp.example up", &[("srv_01.corp.example", Host)]),
    case("_sip._tcp.corp.example", &[("_sip._tcp.corp.example", Host)]),
    case("checkout-7f9c.pay.svc.cluster.local:8080", &[("checkout-7f9c.pay.svc.cluster.local", Host)]),
    case("*.corp.example.com", &[("corp.example.com", Host)]),
    case("git@github.corp.example:org/repo.git", &[("github.corp.example", Host)]),
    case("https://shop.example.dev/cart", &[("shop.example.dev", Host)]),
    case("server=build.acme.cloud;", &[("build.acme.cloud", Host)]),
    case("WORKSTATION5.theshire.local", &[("WORKSTATION5.theshire.local", Host)]),
    case("DC01.CORP.EXAMPLE", &[("DC01.CORP.EXAMPLE", Host)]),
    case("xn--bcher-kva.example", &[("xn--bcher-kva.example", Host)]),
    case("bücher.example", &[("bücher.example", Host)]),
    case("/var/log/nginx/www.example.com-access.log", &[("www.example.com", Host)]),
    case("host:db-1.corp.internal\\tport", &[("db-1.corp.internal", Host)]),
    case("140.242.108.93.rev.vodafone.pt", &[("140.242.108.93.rev.vodafone.pt", Host)]),
    // e-mails
    case("alice+tag@sub.example.co.uk, bob", &[("alice+tag@sub.example.co.uk", Email)]),
    case("mailto:alice@example.com?subject=x", &[("alice@example.com", Email)]),
    case("user=alice%40example.com&x=1", &[("alice%40example.com", Email)]),
    case("to \"john doe\"@example.com now", &[("\"john doe\"@example.com", Email)]),
    case("o'brien@example.ie", &[("o'brien@example.ie", Email)]),
    case("用户@例子.公司", &[("用户@例子.公司", Email)]),
    case("user@xn--80ak6aa92e.com", &[("user@xn--80ak6aa92e.com", Email)]),
    case("ALICE@Example.COM", &[("ALICE@Example.COM", Email)]),
    case("user@[IPv6:2001:db8::1]", &[("user@[IPv6:2001:db8::1]", Email)]),
    case("alice@db-1.corp.internal", &[("alice@db-1.corp.internal", Email)]),
    case("<alice@example.com>", &[("alice@example.com", Email)]),
    case("user='alice@example.com'", &[("alice@example.com", Email)]),
    case("\"\\nalice@example.com\"", &[("alice@example.com", Email)]),
    case("\\u003calice@example.com\\u003e", &[("alice@example.com", Email)]),
    case("a@b.example,c@d.example", &[("a@b.example", Email), ("c@d.example", Email)]),
    // what a URL's authority says
    case(
        "postgres://app:p@ss@db-1.corp.internal:5432/x",
        &[("app", User), ("p@ss", Credential), ("db-1.corp.internal", Host)],
    ),
    case("https://bob@10.0.0.1/x", &[("bob", User), ("10.0.0.1", Ip)]),
    // what the text or the batch must name
    needs(Needs::Context, "logon of CORP\\alice failed", &[("alice", User)]),
    needs(Needs::Context, "opened \\\\FILESRV01\\share", &[("FILESRV01", Host)]),
    needs(Needs::Context, "ssh admin@service.py", &[("service.py", Host)]),
    needs(
        Needs::Names(&["sosreport-db-master-03-2026"]),
        "wrote sosreport-db-master-03-2026",
        &[("sosreport-db-master-03-2026", Host)],
    ),
    needs(Needs::Names(&["db-1"]), "host_db-1_cpu", &[("db-1", Host)]),
];

pub const MUST_LEAVE: &[&str] = &[
    "Mozilla/5.0 (X11) Chrome/120.0.0.0 Safari/537.36",
    "Chrome/120.0.0.0",
    "libfoo-1.2.3.4.so",
    "pkg==2.31.0.1",
    "1.3.6.1.4.1.311",
    "192.168.1.256",
    "2026.08.21.1",
    "std::cout",
    "MyClass::toString",
    "ad::Foo",
    "bed::",
    "::",
    "a :: b",
    "2001::25de::cade",
    "aa:bb:cc:dd:ee:ff",
    "50:06:01:60:3b:20:1e:4d",
    "SHA1 AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD",
    "12:34:56",
    "1:2:3:4",
    "0000:00:1f.2",
    "react@18.2.0",
    "@types/node@18",
    "repo/img@sha256:abcd0123",
    "getty@tty1.service",
    "logo@2x.png",
    "@Override",
    "main.rs",
    "run.py",
    "libc.so.6",
    "com.acme.Foo",
    "at com.acme.Foo.bar(Foo.java:42)",
    "Foo.java:42",
    "node.js",
    "done.In",
    "service.name",
    "k8s.pod.name",
    "kubernetes.io/hostname",
    "node.kubernetes.io/instance-type",
    "self.id",
    "postgres:14.5",
    "123e4567-e89b-12d3-a456-426614174000",
    "4bf92f3577b34da6a3ce929d0e0e4736",
    "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    "org.apache.commons.io",
    "io.grpc.internal",
    "System.Net.Http",
    "java.lang.NullPointerException",
    "2026-11-21T22:00:00.123Z",
    "v1.2.3-rc.1",
    "go1.25.3",
    "script.sh",
    "README.md",
    "archive.zip",
    "user.info",
    "app.name",
    "3.14",
    // our own tokens
    "ip_7_j3x9evzg88gbbcpj0aprmscjp",
    "u7j3x9evzg88gbbcpj0apr@h7j3x9evzg88gbbcpj.h7bbcpj0aprmscjp00.invalid",
    "h7j3x9evzg88gbbcpj.h7bbcpj0aprmscjp00.h7evzg88gbbcpj0apr",
    "h7j3x9evzg88gbbcpj.h7bbcpj0aprmscjp00.co.uk",
    "[ip]",
];
