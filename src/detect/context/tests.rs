use super::*;

fn leads(text: &[u8]) -> Vec<u32> {
    let is_lead = |at: &usize| matches!(text[*at], b'=' | b':' | b'\\' | b'<' | b'@' | b']' | b'|');
    (0..text.len()).filter(is_lead).map(|at| at as u32).collect()
}

fn found(text: &str) -> Vec<String> {
    let mut spans = Vec::new();
    find_in(text.as_bytes(), 0, text.len(), Wanted::ALL, &leads(text.as_bytes()), &mut spans);
    spans.sort_by_key(|span| span.start);
    let shown = |span: &Span| format!("{:?} {}", span.entity, &text[span.start as usize..span.end as usize]);
    spans.iter().map(shown).collect()
}

#[test]
fn a_key_gives_its_host_away() {
    for text in [
        r#"devname="FW01" type=traffic"#,
        r#"hostname=FW01 up"#,
        r#"dvchost=FW01"#,
        r#"{"computer_name": "FW01"#,
        r#"{\"ComputerName\":\"FW01\",\"x\""#,
        r#"x {\\\"host\\\":\\\"FW01\\\"}"#,
        "<Computer>FW01</Computer>",
        r#"<Data Name="WorkstationName">FW01</Data>"#,
        r#"<Data Name=\"WorkstationName\">FW01</Data>"#,
        "Computer: FW01",
        "\tWorkstation Name:\tFW01\r\n",
        r"\r\n\tSource Workstation:\t\tFW01\r\n",
        "rhost=FW01 user=x",
        "server: FW01, request: x",
        "host = FW01:514",
        "host='FW01'",
        "http_host=FW01",
        r#"{"computerDnsName":"FW01"}"#,
    ] {
        assert_eq!(found(text), ["Host FW01"], "{text}");
    }
}

#[test]
fn other_places_give_hosts_away_too() {
    assert_eq!(found("src inside:DC-2/443 dst outside:10.0.0.1/53"), ["Host DC-2"]);
    assert_eq!(found("Feb  9 21:19:40 fw sshd[8317]: x"), ["Host fw"]);
    assert_eq!(found("x:1 [12/Mar/2021:06:56:28.088] front~ back/canyon 0/0/-1/1263/1264 200 1 -"), ["Host canyon"]);
    assert_eq!(found("x:1 [12/Mar/2021:06:56:28.088] front back/web.domain.sh 0/0/5 200"), ["Host web.domain.sh"]);
    assert_eq!(found("ssh admin@canyon uptime"), ["Host canyon"]);
    assert_eq!(found("login root@canyon"), ["Host canyon"]);
    assert_eq!(found("alice@web-1:/srv"), ["Host web-1"]);
    assert_eq!(found("user 'app'@'canyon' denied"), ["Host canyon"]);
    assert_eq!(found("# User@Host: app[app] @ canyon [1.1.1.1]"), ["Host canyon"]);
    assert_eq!(found(r"opened \\FILESRV01\share"), ["Host FILESRV01"]);
    assert_eq!(found(r#""path":"\\\\FILESRV01\\share""#), ["Host FILESRV01"]);
    assert_eq!(found(r"by CORP\alice"), ["Host CORP", "User alice"]);
    assert_eq!(found(r#""CORP\\nancy""#), ["Host CORP", "User nancy"]);
    assert_eq!(found(r"by CORP\nancy"), ["Host CORP", "User nancy"]);
}

#[test]
fn what_only_looks_like_it_is_left_alone() {
    for text in [
        "[instance: 0f8c824d-f099-4433-a41e-e3da7578262e] started",
        r"Device ID:\tSWD\PRINTENUM\{x}",
        r"\tPRINTENUM\LocalPrintQueue",
        "12:34:56",
        "std::cout",
        "a::b",
        "host=localhost",
        "hostname=-",
        "host: unable to reach it",
        "host: unreachable",
        "from:1 [12/Mar/2021:06:56:28.088] front back/<NOSRV> 0/0/-1/-1/1264 200",
        "[main] reading src/lib 1/2/x done",
        "Host: ",
        "Server: nginx/1.2",
        "host=10.0.0.1",
        "host=fe80::1",
        "host=8080",
        "server=main",
        r"C:\Users\alice",
        r#""C:\\Users\\alice""#,
        r"HKLM\SYSTEM\x",
        r"NT AUTHORITY\SYSTEM",
        r"ERROR\nfoo",
        r"DONE\nStarting",
        r"\\.\pipe\x",
        r#""\\Device\\HarddiskVolume2""#,
        "react@18.2.0",
        "@types/node@18",
        "repo/img@sha256:abcd",
        "getty@tty1.service",
        "logo@2x.png",
        "@Override",
        "lodash@latest",
        "postgres@mydb",
        "image:tag/80",
        "http://x/80",
        "ghost=web-1",
        "service.name=cart-1",
        "filename: a-1",
        "http://host:80/x",
        r"foo\tbar",
        "2023-01-01T10:00:00Z INFO main: started",
        "host=${HOST}",
        "std::host::name",
        "hostname()",
        "hostname=0x1f",
        "Computer: please restart it",
        "src inside:DC-2/share",
        "pkg@1rc-2",
        r"opened \\FILES01 now",
        r"at V1\alice",
        "host=get_host()",
    ] {
        assert_eq!(found(text), [""; 0], "{text}");
    }
}

#[test]
fn no_cut_and_no_byte_makes_it_panic() {
    let text = br#"<13>Feb  9 21:19:40 fw sshd[1]: "computer_name": "DC-2" dvchost=x <Computer>a</Computer> CORP\al \\F1\s a@b-1 x:y/1"#;
    for start in 0..text.len() {
        for end in start..text.len() {
            let within: Vec<u32> = leads(&text[start..end]).iter().map(|at| at + start as u32).collect();
            find_in(text, start, end, Wanted::ALL, &within, &mut Vec::new());
        }
    }
    let mut state = 1_u64;
    for _ in 0..20_000 {
        let noise: Vec<u8> = (0..24)
            .map(|_| {
                state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                br#"=:\<>@"' hostcmpuer/.-[1A"#[(state >> 40) as usize % 25]
            })
            .collect();
        find_in(&noise, 0, noise.len(), Wanted::ALL, &leads(&noise), &mut Vec::new());
    }
}

#[test]
fn the_host_of_a_process_and_the_name_that_a_container_has_stand_behind_an_at() {
    assert_eq!(found("jvm 12345@cart started"), ["Host cart"]);
    assert_eq!(found("node broker@0a1b2c3d4e5f is up"), ["Host 0a1b2c3d4e5f"]);
    for text in ["Cart@0a1b2c3d", "12@cart", "at 1000@60fps", "12345@latest", "12345@tty", "tool@2beta"] {
        assert!(found(text).is_empty(), "{text}");
    }
}
