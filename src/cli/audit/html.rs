//! A report as one page without scripts or anything from elsewhere, for a screen (light or dark) and for paper.

use super::super::markup::escaped;
use super::document::{Block, Column};

const HEAD: &str = "<!doctype html>
<html lang=\"en\">
<head>
<meta charset=\"utf-8\">
<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">
<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">
<title>What left: report from the audit trail</title>
<style>
:root { color-scheme: light dark; --ink: #1c2a22; --quiet: #55645b; --paper: #fff; --line: #dbe3dd; --band: #f2f6f3; --good: #1f6f43; --good-band: #e8f4ec; --bad: #a32020; --bad-band: #fdecea; }
@media (prefers-color-scheme: dark) { :root { --ink: #dde6e0; --quiet: #9aaba1; --paper: #141a16; --line: #2d3932; --band: #1c241f; --good: #7fd0a0; --good-band: #16281d; --bad: #ff9d93; --bad-band: #33191a; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 76rem; padding: 2.5rem 1.5rem 4rem; color: var(--ink); background: var(--paper); font: 15px/1.55 system-ui, -apple-system, 'Segoe UI', sans-serif; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 .4rem; }
h2 { font-size: 1.35rem; margin: 2.8rem 0 .6rem; padding-top: .9rem; border-top: 2px solid var(--line); }
h3 { font-size: 1.05rem; margin: 1.8rem 0 .4rem; }
p, ul { margin: .5rem 0; max-width: 64rem; }
ul { padding-left: 1.2rem; }
code { font: .88em/1.5 ui-monospace, 'SF Mono', Menlo, Consolas, monospace; overflow-wrap: anywhere; }
.notice { border-left: 4px solid; border-radius: 3px; padding: .7rem 1rem; margin: 1rem 0; max-width: 64rem; }
.good { border-color: var(--good); background: var(--good-band); color: var(--good); }
.bad { border-color: var(--bad); background: var(--bad-band); color: var(--bad); font-weight: 600; }
.wide { overflow-x: auto; margin: .7rem 0; }
table { border-collapse: collapse; width: 100%; font-size: .93rem; }
th, td { padding: .4rem .7rem; text-align: left; vertical-align: top; border-bottom: 1px solid var(--line); }
th { background: var(--band); color: var(--quiet); font-weight: 600; vertical-align: bottom; }
.n { text-align: right; font-variant-numeric: tabular-nums; }
td.n { white-space: nowrap; }
td:first-child { white-space: nowrap; }
@media print {
  :root { color-scheme: light; --ink: #000; --quiet: #333; --paper: #fff; --line: #bbb; --band: #f2f2f2; --good: #000; --good-band: #fff; --bad: #000; --bad-band: #fff; }
  @page { size: A4 landscape; margin: 14mm; }
  body { max-width: none; padding: 0; font-size: 9.5pt; }
  h2, h3 { break-after: avoid; }
  tr { break-inside: avoid; }
  thead { display: table-header-group; }
  .wide { overflow: visible; }
}
</style>
</head>
<body>
";

pub fn page(blocks: &[Block]) -> String {
    let mut out = HEAD.to_owned();
    for one in blocks {
        out += &block(one);
    }
    out + "</body>\n</html>\n"
}

fn block(block: &Block) -> String {
    match block {
        Block::Title(text) => format!("<h1>{}</h1>\n", inline(text)),
        Block::Section(text) => format!("<h2>{}</h2>\n", inline(text)),
        Block::Part(text) => format!("<h3>{}</h3>\n", inline(text)),
        Block::Text(text) => format!("<p>{}</p>\n", inline(text)),
        Block::Notice(is_good, text) => {
            let class = if *is_good { "good" } else { "bad" };
            format!("<p class=\"notice {class}\">{}</p>\n", inline(text))
        }
        Block::List(items) => {
            let items: String = items.iter().map(|item| format!("<li>{}</li>\n", inline(item))).collect();
            format!("<ul>\n{items}</ul>\n")
        }
        Block::Table { head, rows } => table(head, rows),
    }
}

fn table(head: &[Column], rows: &[Vec<String>]) -> String {
    let class = |column: &Column| if matches!(column, Column::Number(_)) { " class=\"n\"" } else { "" };
    let mut out = String::from("<div class=\"wide\"><table>\n<thead><tr>");
    for column in head {
        let (Column::Text(name) | Column::Number(name)) = column;
        out += &format!("<th scope=\"col\"{}>{name}</th>", class(column));
    }
    out += "</tr></thead>\n<tbody>\n";
    for row in rows {
        out += "<tr>";
        for (cell, column) in row.iter().zip(head) {
            out += &format!("<td{}>{}</td>", class(column), inline(cell));
        }
        out += "</tr>\n";
    }
    out + "</tbody>\n</table></div>\n"
}

/// Text with what stands in backticks as code, and what stands between double stars in bold.
fn inline(text: &str) -> String {
    let mut out = String::new();
    for (index, part) in escaped(text).split('`').enumerate() {
        if index % 2 == 1 {
            out += &format!("<code>{part}</code>");
            continue;
        }
        for (index, part) in part.split("**").enumerate() {
            if index % 2 == 1 { out += &format!("<b>{part}</b>") } else { out += part }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_wrote_means_nothing_to_a_browser() {
        assert_eq!(inline("<b>&\"`a<b`\" **c**"), "&lt;b&gt;&amp;&quot;<code>a&lt;b</code>&quot; <b>c</b>");
    }

    #[test]
    fn the_page_asks_for_nothing_from_elsewhere() {
        let page = page(&[Block::Text("x".into())]);
        for word in ["<script", "src=", "href=", "url(", "@import"] {
            assert!(!page.contains(word), "{word}");
        }
    }
}
