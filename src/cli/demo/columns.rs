//! Two texts side by side: what differs is marked, long ones are wrapped.

use console::Style;

/// A piece of a text, and whether the other text has it too.
type Marked<'a> = (&'a str, bool);

/// Both texts in pieces; those that only one of them has are marked.
pub(super) fn differences<'a>(left: &'a str, right: &'a str) -> (Vec<Marked<'a>>, Vec<Marked<'a>>) {
    let (a, b) = (words(left), words(right));
    // Lengths of the longest common subsequences of all tails.
    let mut common = vec![vec![0_u32; b.len() + 1]; a.len() + 1];
    for i in (0..a.len()).rev() {
        for j in (0..b.len()).rev() {
            common[i][j] = if a[i] == b[j] { common[i + 1][j + 1] + 1 } else { common[i + 1][j].max(common[i][j + 1]) };
        }
    }
    let (mut i, mut j) = (0, 0);
    let (mut marked_a, mut marked_b) = (Vec::new(), Vec::new());
    while i < a.len() || j < b.len() {
        if i < a.len() && j < b.len() && a[i] == b[j] {
            marked_a.push((a[i], false));
            marked_b.push((b[j], false));
            (i, j) = (i + 1, j + 1);
        } else if j == b.len() || i < a.len() && common[i + 1][j] >= common[i][j + 1] {
            marked_a.push((a[i], true));
            i += 1;
        } else {
            marked_b.push((b[j], true));
            j += 1;
        }
    }
    (marked_a, marked_b)
}

/// Cuts a text into words and what stands between them. A port is a word of its own, an IPv6 address is one word.
fn words(text: &str) -> Vec<&str> {
    let is_word = |c: char| c.is_alphanumeric() || "._-:@%+~".contains(c);
    let mut words = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let end = match is_word(first) {
            true => rest.find(|c| !is_word(c)).unwrap_or(rest.len()),
            false => first.len_utf8(),
        };
        let (word, after) = rest.split_at(end);
        match word.split_once(':') {
            Some((host, port)) if !port.contains(':') && word.len() > 1 => {
                words.extend([host, &word[host.len()..=host.len()], port].iter().filter(|part| !part.is_empty()));
            }
            _ => words.push(word),
        }
        rest = after;
    }
    words
}

/// Lines of at most `width` characters, broken at spaces where that does not waste much of the line.
pub(super) fn wrap(pieces: &[Marked], width: usize, style: &Style, mark: &Style) -> Vec<Line> {
    let chars: Vec<(char, bool)> =
        pieces.iter().flat_map(|(piece, marked)| piece.chars().map(|c| (c, *marked))).collect();
    let mut lines = Vec::new();
    let mut rest = chars.as_slice();
    loop {
        let mut end = rest.len().min(width);
        if end < rest.len() {
            let space = rest[..=end].iter().rposition(|(c, _)| *c == ' ');
            end = space.filter(|space| *space > width / 2).unwrap_or(end);
        }
        let (line, after) = rest.split_at(end);
        lines.push(Line::new(line, style, mark));
        rest = after.strip_prefix(&[(' ', false)]).unwrap_or(after);
        if rest.is_empty() {
            return lines;
        }
    }
}

/// A styled line and how many characters of it are seen.
#[derive(Default)]
pub(super) struct Line {
    pub text: String,
    pub width: usize,
}

impl Line {
    fn new(chars: &[(char, bool)], style: &Style, mark: &Style) -> Line {
        let run = |run: &[(char, bool)]| {
            let text: String = run.iter().map(|(c, _)| if c.is_control() { '\u{fffd}' } else { *c }).collect();
            if run[0].1 { mark.apply_to(text).to_string() } else { style.apply_to(text).to_string() }
        };
        Line { text: chars.chunk_by(|a, b| a.1 == b.1).map(run).collect(), width: chars.len() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marked(pieces: &[Marked]) -> Vec<String> {
        pieces
            .chunk_by(|a, b| a.1 == b.1)
            .filter(|run| run[0].1)
            .map(|run| run.iter().map(|(p, _)| *p).collect())
            .collect()
    }

    #[test]
    fn only_what_was_replaced_is_marked() {
        let (left, right) = differences("from 203.0.113.7:51544 (web-1)", "from ip_0_abc:51544 (x1y2)");
        assert_eq!(
            (marked(&left), marked(&right)),
            (vec!["203.0.113.7".into(), "web-1".into()], vec!["ip_0_abc".into(), "x1y2".into()])
        );
        let (left, right) = differences("2001:db8::17 - - [", "ip_0_abc - - [");
        assert_eq!((marked(&left), marked(&right)), (vec!["2001:db8::17".into()], vec!["ip_0_abc".into()]));
        let (left, right) = differences("same", "same");
        assert_eq!(marked(&left).len() + marked(&right).len(), 0);
    }

    #[test]
    fn pieces_put_together_are_the_texts() {
        for (left, right) in [("", "a"), ("a::b c:", ":: é://x:1/"), ("x y", "x  z")] {
            let (a, b) = differences(left, right);
            assert_eq!(a.iter().map(|(piece, _)| *piece).collect::<String>(), left);
            assert_eq!(b.iter().map(|(piece, _)| *piece).collect::<String>(), right);
        }
    }

    #[test]
    fn lines_break_at_spaces_and_long_words_anywhere() {
        let plain = Style::new();
        let wrap =
            |text| wrap(&[(text, false)], 10, &plain, &plain).into_iter().map(|line| line.text).collect::<Vec<_>>();
        assert_eq!(wrap("one two three four"), ["one two", "three four"]);
        assert_eq!(wrap("abcdefghijklmno p"), ["abcdefghij", "klmno p"]);
        assert_eq!(wrap(""), [""]);
    }
}
