use super::cases::table::{Kind, MUST_CATCH, MUST_LEAVE, Needs};
use super::*;

/// What a search finds in a text, at each of several places in a buffer: the neighbours are length and tag bytes there.
fn find(text: &str) -> Vec<(String, Entity, Writing)> {
    let detector = Detector::builtin();
    let mut answers: Vec<Vec<(String, Entity, Writing)>> = Vec::new();
    for (before, after) in [("", ""), ("\x12", "2\x0a"), ("a", "a"), ("1.", ".1"), (":", ":"), ("@x.", "@x.example")] {
        for padding in [0, 100] {
            let mut buf = before.as_bytes().to_vec();
            buf.extend_from_slice(text.as_bytes());
            buf.extend_from_slice(after.as_bytes());
            buf.extend(std::iter::repeat_n(b'x', padding));
            let mut found = Found::default();
            let (start, end) = (before.len(), before.len() + text.len());
            let context = Context { wanted: Wanted::ALL, ..Context::default() };
            let _ = detector.find(&buf, start, end, &context, &mut found);
            for span in &found.spans {
                assert!(
                    start as u32 <= span.start && span.start < span.end && span.end <= end as u32,
                    "{text}: {span:?}"
                );
            }
            for pair in found.spans.windows(2) {
                assert!(pair[0].end <= pair[1].start, "{text}: {pair:?}");
            }
            let written =
                |span: &Span| String::from_utf8_lossy(&buf[span.start as usize..span.end as usize]).into_owned();
            answers.push(found.spans.iter().map(|span| (written(span), span.entity, span.writing)).collect());
        }
    }
    let first = answers.swap_remove(0);
    for other in answers {
        assert_eq!(other, first, "{text}: what is found depends on its neighbours");
    }
    first
}

fn entity(kind: Kind) -> Entity {
    match kind {
        Kind::Ip => Entity::Ip,
        Kind::Email => Entity::Email,
        Kind::Host => Entity::Host,
        Kind::User => Entity::User,
        Kind::Credential => Entity::Credential,
    }
}

#[test]
fn what_must_be_caught_is_caught_with_its_exact_span() {
    let mut wrong = String::new();
    for case in MUST_CATCH.iter().filter(|case| case.needs == Needs::Nothing) {
        let expected: Vec<_> = case.found.iter().map(|(text, kind)| (text.to_string(), entity(*kind))).collect();
        let got: Vec<_> = find(case.text).into_iter().map(|(text, entity, _)| (text, entity)).collect();
        if got != expected {
            wrong += &format!("{}\n   expected {expected:?}\n   got      {got:?}\n", case.text);
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

#[test]
fn what_must_be_left_alone_is_left_alone() {
    let mut wrong = String::new();
    for text in MUST_LEAVE {
        let got = find(text);
        if !got.is_empty() {
            wrong += &format!("{text}\n   got {got:?}\n");
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

#[test]
fn what_stands_around_decides() {
    use Entity::{Credential, Email, Host, Ip, User};
    let whole = format!("{}.com", ["a".repeat(49).as_str(); 5].join("."));
    let too_long = format!("b{whole}");
    assert_eq!(whole.len(), 253, "no name is longer");
    let mut wrong = String::new();
    for (text, expected) in [
        // versions, and addresses that look like some
        ("pool_10.0.0.1_x64", &[("10.0.0.1", Ip)][..]),
        ("pool_172.20.1.5_x64", &[("172.20.1.5", Ip)]),
        ("SkypeApp_14.44.40.0_x64", &[]),
        ("GET /Host/203.0.113.9", &[("203.0.113.9", Ip)]),
        ("curl/7.88.0.0", &[]),
        ("GET x - DIRECT/203.0.113.9 -", &[("203.0.113.9", Ip)]),
        ("-> OUTSIDE/203.0.113.9(53) hit-cnt", &[("203.0.113.9", Ip)]),
        ("Outside/203.0.113.9:53", &[("203.0.113.9", Ip)]),
        ("Outside/203.0.113.9/53", &[("203.0.113.9", Ip)]),
        ("Mozilla/5.0 (X11) OPR/12.5.2.1", &[]),
        ("FOO/12.5.0.0", &[]),
        ("Pack~31bf3856ad364e35~amd64~~6.1.1.3, up", &[]),
        ("~203.0.113.9", &[("203.0.113.9", Ip)]),
        (r#""AttributeSyntaxOID":"2.5.5.15""#, &[]),
        ("ModuleVersion = '2.16.3.1'", &[]),
        ("from user '203.0.113.9'", &[("203.0.113.9", Ip)]),
        (r#""droid":"203.0.113.9""#, &[("203.0.113.9", Ip)]),
        ("libfoo-1.2.3.4", &[]),
        ("libfoo_1.2.3.4.so", &[]),
        ("libfoo-10.2.0.4-rc1.so", &[]),
        ("Linux-SSH-198.51.100.7-root", &[("198.51.100.7", Ip)]),
        ("Linux-SSH-192.168.3.7-root", &[("192.168.3.7", Ip)]),
        ("Oracle-10.128.0.7-admin", &[("10.128.0.7", Ip)]),
        ("pyzip==1.2.3.4", &[]),
        ("client_ip==203.0.113.9", &[("203.0.113.9", Ip)]),
        // One that is rejected, but stands elsewhere as an address, is one.
        ("Chrome/203.0.113.9 from 203.0.113.9", &[("203.0.113.9", Ip), ("203.0.113.9", Ip)]),
        // colons
        ("std::fade", &[]),
        ("dead::beefy", &[]),
        ("[client ::1:37752]", &[("::1", Ip)]),
        ("IP 192.0.2.1.443 > 198.51.100.7.51544: Flags", &[("192.0.2.1", Ip), ("198.51.100.7", Ip)]),
        ("IP6 2001:db8::1.5353 > 2001:db8::fb.5353: UDP", &[("2001:db8::1", Ip), ("2001:db8::fb", Ip)]),
        ("1.3.6.1.4.1 > 5", &[]),
        ("src=2001:db8:0:1:2:3:4:5:80 mac", &[("2001:db8:0:1:2:3:4:5", Ip)]),
        // an escape's letter, however often it was escaped
        (r"x\n10.0.0.1", &[("10.0.0.1", Ip)]),
        (r"x\\t2001:db8::1", &[("2001:db8::1", Ip)]),
        // Of a share's host it is a letter,
        (r"\\nas.corp.example\share", &[("nas.corp.example", Host)]),
        // and a control character is not decoded, and joins nothing.
        ("x%7fdb-1.corp.example", &[("7fdb-1.corp.example", Host)]),
        // e-mails
        ("alice@example.com..bob", &[("alice@example.com", Email)]),
        ("alice@db.zzcorp", &[("alice@db.zzcorp", Email)]),
        ("alice%2540example.com", &[("alice%2540example.com", Email)]),
        ("https://bob:@10.0.0.1/x", &[("bob", User), ("10.0.0.1", Ip)]),
        ("https://bob:x@10.0.0.1/x", &[("bob", User), ("x", Credential), ("10.0.0.1", Ip)]),
        // host names
        (&whole, &[(&whole, Host)]),
        (&too_long, &[(&too_long[51..], Host)]),
        ("fooBar.de", &[]),
        ("web.id:8080", &[("web.id", Host)]),
        ("api.acme.id", &[("api.acme.id", Host)]),
        ("@acme.id", &[]),
        ("\"acme.info/shop/cart.php?item=1\"", &[("acme.info", Host)]),
        ("log.info/x", &[]),
        ("x~amd64~~10.0.20348.1607.cat", &[]),
        ("GET /my-config.php.save", &[]),
        ("[token-auth.invalid]", &[]),
        ("db-1.corp.invalid", &[("db-1.corp.invalid", Host)]),
        ("h7bbcpj0aprmscjp0.co.uk", &[("h7bbcpj0aprmscjp0.co.uk", Host)]),
    ] {
        let got: Vec<_> = find(text).into_iter().map(|(text, entity, _)| (text, entity)).collect();
        let expected: Vec<_> = expected.iter().map(|(text, entity)| (text.to_string(), *entity)).collect();
        if got != expected {
            wrong += &format!("{text}\n   expected {expected:?}\n   got      {got:?}\n");
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
    assert_eq!(find("user=alice%40example.com")[0].2, Writing::Percent);
    assert_eq!(find("user=alice@example.com")[0].2, Writing::Plain);
}

fn spans_in(buf: &[u8], start: usize, end: usize) -> Vec<Span> {
    let mut found = Found::default();
    let context = Context { wanted: Wanted::ALL, ..Context::default() };
    let _ = Detector::builtin().find(buf, start, end, &context, &mut found);
    found.spans
}

/// What the recognisers by shape find with one scanner, and where it says that the context may name something.
fn by_shape(buf: &[u8], start: usize, end: usize, portable: bool) -> (Vec<Span>, Vec<u32>, Seen) {
    use crate::scan::{Portable, Search};
    let mut found = Found::default();
    let text = Text { buf, start, end, wanted: Wanted::ALL, place: Place::Text };
    let mut finder = Finder::new(text, true, &mut found);
    let seen = if portable { finder.run(Portable) } else { Best::new().run(&mut finder) };
    (found.spans, found.leads, seen)
}

#[test]
fn a_case_is_found_wherever_in_a_window_it_stands() {
    for case in MUST_CATCH.iter().filter(|case| case.needs == Needs::Nothing) {
        for before in 0..130 {
            let text = format!("{}{} {}", "- ".repeat(before / 2), &" "[..before % 2], case.text);
            let at = text.len() - case.text.len();
            let got: Vec<_> = spans_in(text.as_bytes(), 0, text.len())
                .iter()
                .map(|s| (&text[s.start as usize..s.end as usize], s.entity))
                .collect();
            let expected: Vec<_> = case.found.iter().map(|(text, kind)| (*text, entity(*kind))).collect();
            assert_eq!(got, expected, "{} at {at}", case.text);
        }
    }
}

#[test]
fn runs_longer_than_a_window_are_taken_apart() {
    let long = "a".repeat(90);
    let label = "b".repeat(60);
    for (text, expected) in [
        (format!("{long}_10.0.0.1_{long}"), "10.0.0.1"),
        (format!("{label}.{label}.corp.example"), &*format!("{label}.{label}.corp.example")),
        (format!("{long}@example.com"), &*format!("{long}@example.com")),
        (format!("alice@{label}.{label}.example.com"), &*format!("alice@{label}.{label}.example.com")),
        (format!("{long}:2001:db8::1"), "2001:db8::1"),
        (format!("https://app:{long}@10.0.0.1"), "10.0.0.1"),
        (format!("{long}%20alice%40example.com"), "alice%40example.com"),
    ] {
        let spans = spans_in(text.as_bytes(), 0, text.len());
        assert!(spans.iter().any(|s| &text[s.start as usize..s.end as usize] == expected), "{text}: {spans:?}");
    }
}

#[test]
fn an_address_has_its_value_in_every_spelling() {
    let value = |text: &str| spans_in(text.as_bytes(), 0, text.len())[0].address;
    assert_eq!(value("192.0.2.1"), value("::ffff:192.0.2.1"));
    assert_eq!(value("192.0.2.1"), value("::FFFF:c000:201"));
    assert_eq!(value("10.0.0.1"), value("10%2E0%2E0%2E1"));
    assert_eq!(value("2001:DB8:0:0:0:0:0:1"), value("2001:db8::1"));
    assert_eq!(value("2001:db8::1"), 0x2001_0db8 << 96 | 1);
}

#[test]
fn strings_in_real_requests_are_searched_as_they_would_be_alone() {
    let Some(root) = cases::data() else { return };
    let mut strings = 0;
    cases::for_each_real_file(&root.join("otlp"), &mut |request| {
        for_each_string(request, 0, request.len(), 0, &mut |start, end| {
            let mut alone = vec![b' '; 70];
            alone.extend_from_slice(&request[start..end]);
            alone.resize(alone.len() + 70, b' ');
            let mut expected = spans_in(&alone, 70, 70 + end - start);
            for span in &mut expected {
                span.start = span.start - 70 + start as u32;
                span.end = span.end - 70 + start as u32;
            }
            let got = spans_in(request, start, end);
            assert_eq!(got, expected, "{}", String::from_utf8_lossy(&request[start..end]));
            strings += 1;
        });
    });
    assert!(strings > 1000, "only {strings} strings: is the data where it should be?");
}

/// Calls back for each length-delimited field that may be a string, at any depth.
fn for_each_string(buf: &[u8], mut at: usize, end: usize, depth: u32, read: &mut dyn FnMut(usize, usize)) {
    let varint = |at: &mut usize| {
        let mut value = 0u64;
        for shift in (0..63).step_by(7) {
            let byte = *buf[..end].get(*at)?;
            *at += 1;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
    };
    while at < end {
        let Some(tag) = varint(&mut at) else { return };
        match tag & 7 {
            0 => drop(varint(&mut at)),
            1 => at += 8,
            5 => at += 4,
            2 => {
                let Some(len) = varint(&mut at) else { return };
                let Some(to) = at.checked_add(len as usize).filter(|&to| to <= end) else { return };
                if std::str::from_utf8(&buf[at..to]).is_ok() {
                    read(at, to);
                }
                if depth < 12 {
                    for_each_string(buf, at, to, depth + 1, read);
                }
                at = to;
            }
            _ => return,
        }
    }
}

#[test]
fn scanners_lead_to_the_same_spans_in_real_text() {
    let Some(root) = cases::data() else { return };
    let mut spans = 0;
    cases::for_each_real_file(&root, &mut |bytes| {
        for line in bytes.split(|&byte| byte == b'\n') {
            let vectors = by_shape(line, 0, line.len(), false);
            assert_eq!(vectors, by_shape(line, 0, line.len(), true));
            assert_eq!(vectors.2.non_ascii, !line.is_ascii());
            spans += vectors.0.len();
        }
    });
    assert!(spans > 10_000, "only {spans} spans: is the data where it should be?");
}

#[test]
fn hostile_texts_take_linear_time() {
    for piece in [
        "@",
        "a@",
        ".",
        "a.",
        "a.b@",
        ":",
        "::",
        "1:",
        "%41",
        "%",
        "//a:",
        "//a@",
        "\"@",
        "1.1.1.1.",
        "1.2.3.4 ",
        "v1.2.3.4 ",
        "x.com.",
        "\\u0041.",
        "[",
        "é.",
        "-",
        "www.",
    ] {
        let text = piece.repeat(400_000 / piece.len());
        let begun = std::time::Instant::now();
        let _ = spans_in(text.as_bytes(), 0, text.len());
        let took = begun.elapsed();
        assert!(took.as_secs() < 5, "{piece:?} repeated took {took:?}");
    }
}

mod properties {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use proptest::prelude::*;

    use super::*;

    /// Text with much of what triggers recognisers.
    fn hostile() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop_oneof![
            8 => proptest::sample::select(vec![
                "@", ".", ":", "::", "%", "%40", "%2E", "%3A%2F", "10.0.0.1", "2001:db8::1", "a", "b-1", ".com", "corp", ".internal",
                "//", "\"", "\\", "\\n", "[", "]", "u7", "é", "用户", "1.2.3.4", "version", "=", "/", " ", "_", "git@", "xn--", "com",
                "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
            ]).prop_map(|s| s.as_bytes().to_vec()),
            1 => proptest::collection::vec(any::<u8>(), 1..4),
        ];
        proptest::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn any_bytes_are_searched_without_panic_and_alike(buf in hostile(), from in 0usize..20, to in 0usize..20) {
            let (start, end) = (from.min(buf.len()), buf.len() - to.min(buf.len()));
            prop_assume!(start <= end);
            let vectors = by_shape(&buf, start, end, false);
            let portable = by_shape(&buf, start, end, true);
            prop_assert_eq!(&vectors, &portable);
            let spans = spans_in(&buf, start, end);
            for pair in spans.windows(2) {
                prop_assert!(pair[0].end <= pair[1].start, "{:?}", pair);
            }
            for span in &spans {
                prop_assert!(start <= span.start as usize && span.start < span.end && span.end as usize <= end);
            }
            // What stands around the text changes nothing.
            let alone = spans_in(&buf[start..end], 0, end - start);
            let moved: Vec<_> = alone.into_iter().map(|s| Span { start: s.start + start as u32, end: s.end + start as u32, ..s }).collect();
            prop_assert_eq!(spans, moved);
        }

        #[test]
        fn addresses_are_parsed_as_the_standard_library_does(text in "[0-9a-f:.]{0,24}", six in any::<u128>(), four in any::<u32>()) {
            prop_assert_eq!(ip::parse_v6(text.as_bytes()), text.parse::<Ipv6Addr>().ok().map(u128::from), "{}", text);
            prop_assert_eq!(ip::parse_v4(text.as_bytes()), text.parse::<Ipv4Addr>().ok().map(u32::from), "{}", text);
            let six = six & if four & 1 == 0 { !0 } else { !(0xffff_ffff << (four % 96)) };
            prop_assert_eq!(ip::parse_v6(Ipv6Addr::from(six).to_string().as_bytes()), Some(six));
            prop_assert_eq!(ip::parse_v4(Ipv4Addr::from(four).to_string().as_bytes()), Some(four));
        }
    }
}

#[test]
fn published_address_suites_are_parsed_as_the_standard_library_does() {
    let Some(root) = cases::data() else { return };
    let mut addresses = 0;
    cases::for_each_real_file(&root.join("misc/ip_parse"), &mut |bytes| {
        // Whatever the suites' shape: every quoted string in them.
        let text = std::str::from_utf8(bytes).expect("a suite is text");
        for string in text.split('"').skip(1).step_by(2) {
            assert_eq!(
                ip::parse_v6(string.as_bytes()),
                string.parse::<std::net::Ipv6Addr>().ok().map(u128::from),
                "{string}"
            );
            assert_eq!(
                ip::parse_v4(string.as_bytes()),
                string.parse::<std::net::Ipv4Addr>().ok().map(u32::from),
                "{string}"
            );
            addresses += 1;
        }
    });
    assert!(addresses > 500, "only {addresses}");
}

/// What is found in a text at a place, as it is written.
fn find_at(place: Place, text: &str) -> Vec<(&str, Entity)> {
    let mut found = Found::default();
    let context = Context { wanted: Wanted::ALL, place, ..Context::default() };
    let _ = Detector::builtin().find(text.as_bytes(), 0, text.len(), &context, &mut found);
    found.spans.iter().map(|span| (&text[span.start as usize..span.end as usize], span.entity)).collect()
}

#[test]
fn a_key_that_ends_as_a_version_or_a_host_says_so_of_its_value() {
    for key in ["service.version", "version", "agentVersion", "app_version", "x-release", "os.build", "a.ver"] {
        assert_eq!(Place::under(key.as_bytes()), Place::Version, "{key}");
    }
    for key in ["url.full.url", "base_url", "vendor.url", "requestHost", "server", "http.referer", "listen-address"] {
        assert_eq!(Place::under(key.as_bytes()), Place::HostByKey, "{key}");
    }
    for key in ["", "diversion", "driver", "curl", "url.path", "version.name", "subdomain_count"] {
        assert_eq!(Place::under(key.as_bytes()), Place::Text, "{key}");
    }
}

#[test]
fn under_a_key_of_versions_a_dotted_quad_is_one_where_the_value_begins_and_nowhere_else() {
    for text in ["8.0.0.0", "192.0.2.1", "10.0.0.1", "\"192.0.2.1\"", "192.0.2.1-beta", "192.0.2.1 (abc)"] {
        assert_eq!(find_at(Place::Version, text), [], "{text}");
    }
    assert_eq!(find_at(Place::Version, "203.0.113.7"), [("203.0.113.7", Entity::Ip)], "no version is numbered so");
    assert_eq!(find_at(Place::Version, "built on 192.0.2.1"), [("192.0.2.1", Entity::Ip)]);
    assert_eq!(find_at(Place::Version, "2001:db8::1"), [("2001:db8::1", Entity::Ip)]);
    assert_eq!(find_at(Place::Text, "192.0.2.1"), [("192.0.2.1", Entity::Ip)]);
}

#[test]
fn under_a_key_of_hosts_a_value_begins_with_a_host_and_its_path_holds_files() {
    for text in ["shop.pages.app", "shop.app", "cart.shop.sh/x", "shop.name:8080"] {
        let host = &text[..text.find(['/', ':']).unwrap_or(text.len())];
        assert_eq!(find_at(Place::HostByKey, text), [(host, Entity::Host)], "{text}");
    }
    for text in ["/lib/main.rs", "/schema.v1.Service/Get", "a b.app", "run(main.py)", "index.html"] {
        assert_eq!(find_at(Place::HostByKey, text), [], "{text}");
    }
    assert_eq!(find_at(Place::HostByKey, "https://shop.example/run.py"), [("shop.example", Entity::Host)]);
    assert_eq!(find_at(Place::HostByKey, "/a%20b?f=main.rs"), []);
    assert_eq!(find_at(Place::Text, "shop.pages.app"), []);
}

#[test]
fn in_a_name_net_is_a_network_unless_the_rest_speaks_of_a_host() {
    for name in ["cache.net.input", "cache.net.input.rate", "my_cache.net.commands"] {
        assert_eq!(find_at(Place::Name, name), [], "{name}");
    }
    for (name, host) in [
        ("web-1.net.load", "web-1.net"),
        ("web.example.net.load", "web.example.net"),
        ("example.com.load", "example.com"),
        ("cache.net_input", "cache.net"),
    ] {
        assert_eq!(find_at(Place::Name, name), [(host, Entity::Host)], "{name}");
    }
    assert_eq!(find_at(Place::Text, "to example.net.load"), [("example.net", Entity::Host)]);
}
