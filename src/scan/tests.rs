use proptest::prelude::*;

use super::*;

struct MasksOf<'a>(&'a [u8], usize, usize);

impl Search for MasksOf<'_> {
    type Output = (Masks, Rare);
    #[inline(always)]
    fn run<S: Scanner>(self, scanner: S) -> (Masks, Rare) {
        let MasksOf(buf, at, len) = self;
        let bits = if len == WINDOW { !0 } else { (1 << len) - 1 };
        (scanner.masks(buf, at, len).within(bits), scanner.rare(buf, at, len).within(bits))
    }
}

/// The definition, byte by byte.
fn defined(buf: &[u8], at: usize, len: usize) -> (Masks, Rare) {
    let of = |class: fn(u8) -> bool| {
        buf[at..at + len].iter().enumerate().fold(0, |mask, (i, &byte)| mask | u64::from(class(byte)) << i)
    };
    let masks = Masks {
        word: of(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_' || b >= 0x80),
        dot: of(|b| b == b'.'),
        digit: of(|b| b.is_ascii_digit()),
        colon: of(|b| b == b':'),
        lead: of(|b| matches!(b, b'<' | b'=' | b'\\' | b']' | b'|' | b'}' | 0x1c | 0x1d)),
        mail: of(|b| matches!(b, b'@' | b'%')),
        odd: of(|b| b == b'{' || b >= 0x80),
    };
    let rare = Rare {
        hex: of(|b| b.is_ascii_hexdigit()),
        at: of(|b| b == b'@'),
        percent: of(|b| b == b'%'),
        high: of(|b| b >= 0x80),
        brace: of(|b| b == b'{'),
    };
    (masks, rare)
}

fn assert_agree(buf: &[u8], at: usize, len: usize) {
    let expected = defined(buf, at, len);
    assert_eq!(Best::new().run(MasksOf(buf, at, len)), expected, "vectors, at {at}, length {len}");
    assert_eq!(MasksOf(buf, at, len).run(Portable), expected, "portable, at {at}, length {len}");
}

#[test]
fn every_byte_is_classified_as_defined() {
    let all: Vec<u8> = (0..=255).chain(0..64).collect();
    for at in 0..=256 {
        for len in 0..=WINDOW {
            assert_agree(&all, at, len);
        }
    }
}

#[test]
fn a_window_at_the_very_end_of_the_buffer_is_classified_as_any_other() {
    for size in 0..130 {
        let buf: Vec<u8> = (0..size).map(|i| b"a.b:c@9%\x80-_/"[i % 12]).collect();
        for at in 0..=size {
            for len in 0..=(size - at).min(WINDOW) {
                assert_agree(&buf, at, len);
            }
        }
    }
}

struct LedOf<'a>(&'a [u8], usize, &'a Threes);

impl Search for LedOf<'_> {
    type Output = u64;
    #[inline(always)]
    fn run<S: Scanner>(self, scanner: S) -> u64 {
        scanner.led(self.0, self.1, self.2)
    }
}

#[test]
fn separators_behind_three_bytes_of_a_kind_are_found_by_every_scanner() {
    const THREES: Threes = Threes::new(&[
        [b"o", b"s", b"t"],
        [b"a", b"b", b"c"],
        [b""; 3],
        [b"_-", b"xyz", b"\xc3\xa9"],
        [b""; 3],
        [b""; 3],
        [b""; 3],
        [b"", b"1", b"2"],
    ]);
    let text = b"xhost=abc:hoc=abd=_y\xa9=-z\xc3::1=12=?????????????????????????????????";
    let mut state = 3_u64;
    for _ in 0..20_000 {
        let buf: Vec<u8> = (0..80)
            .map(|_| {
                state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                text[(state >> 33) as usize % text.len()]
            })
            .collect();
        for at in [0, 2, 3, 9, 16, 17, 70] {
            assert_eq!(Best::new().run(LedOf(&buf, at, &THREES)), Portable.apart(LedOf(&buf, at, &THREES)));
        }
    }
    let buf = [b"???", &text[..], &[b'?'; 40]].concat();
    let led = Portable.led(&buf, 3, &THREES);
    let at = |separator: usize| led >> separator & 1 != 0;
    assert!([0, 5, 6, 9, 21, 25].into_iter().all(at), "{led:b}");
    assert!(![13, 17, 26, 28, 31].into_iter().any(at), "{led:b}");
    assert_eq!(Portable.led(&buf, 2, &THREES), !0);
    assert_eq!(Portable.led(&buf, buf.len() - 63, &THREES), !0);
}

struct QuadOf<'a>(&'a [u8; 16], [u32; 4]);

impl Search for QuadOf<'_> {
    type Output = Option<u32>;
    #[inline(always)]
    fn run<S: Scanner>(self, scanner: S) -> Option<u32> {
        scanner.quad(self.0, self.1)
    }
}

#[test]
fn a_quad_of_numbers_of_any_length_has_the_value_that_std_reads() {
    let numbers =
        ["0", "7", "00", "01", "09", "10", "42", "99", "000", "007", "099", "100", "199", "255", "256", "999"];
    for (index, a) in numbers.iter().enumerate() {
        for b in numbers {
            for (c, d) in [(numbers[index], b), ("255", "0"), ("0", "255"), (b, "10"), ("9", numbers[index])] {
                let text = format!("{a}.{b}.{c}.{d}");
                let mut sixteen = *b"################";
                sixteen[..text.len()].copy_from_slice(text.as_bytes());
                let digits = [a, b, c, d].map(|number| number.len() as u32);
                let expected = text.parse::<std::net::Ipv4Addr>().ok().map(u32::from);
                assert_eq!(Best::new().run(QuadOf(&sixteen, digits)), expected, "vectors, {text}");
                assert_eq!(Portable.apart(QuadOf(&sixteen, digits)), expected, "portable, {text}");
            }
        }
    }
}

#[test]
fn scanners_agree_on_real_text_at_every_offset_class() {
    let Some(root) = crate::detect::cases::data() else { return };
    let mut windows = 0u64;
    crate::detect::cases::for_each_real_file(&root, &mut |bytes| {
        // Every offset class of the file's head, then on in steps that are prime to the window.
        for at in (0..bytes.len().min(256)).chain((256..bytes.len()).step_by(37)) {
            assert_agree(bytes, at, WINDOW.min(bytes.len() - at));
            windows += 1;
        }
    });
    assert!(windows > 100_000, "only {windows} windows: is the data where it should be?");
}

proptest! {
    #[test]
    fn scanners_agree_on_random_bytes(buf in proptest::collection::vec(any::<u8>(), 0..200), at in 0usize..200, len in 0usize..=64) {
        let at = at.min(buf.len());
        assert_agree(&buf, at, len.min(buf.len() - at));
    }
}
