//! A report as Markdown.

use super::document::{Block, Column};

pub fn text(blocks: &[Block]) -> String {
    let mut out: Vec<String> = blocks.iter().map(block).collect();
    out.push(String::new());
    out.join("\n")
}

fn block(block: &Block) -> String {
    match block {
        Block::Title(text) => format!("# {}\n", inline(text)),
        Block::Section(text) => format!("## {}\n", inline(text)),
        Block::Part(text) => format!("### {}\n", inline(text)),
        Block::Text(text) => format!("{}\n", inline(text)),
        Block::Notice(_, text) => format!("> {}\n", inline(text)),
        Block::List(items) => items.iter().map(|item| format!("* {}\n", inline(item))).collect(),
        Block::Table { head, rows } => table(head, rows),
    }
}

fn table(head: &[Column], rows: &[Vec<String>]) -> String {
    let names: Vec<&str> = head
        .iter()
        .map(|column| match column {
            Column::Text(name) | Column::Number(name) => *name,
        })
        .collect();
    let rules: Vec<&str> = head
        .iter()
        .map(|column| match column {
            Column::Text(_) => "---",
            Column::Number(_) => "---:",
        })
        .collect();
    let mut out = format!("| {} |\n| {} |\n", names.join(" | "), rules.join(" | "));
    for row in rows {
        let cells: Vec<String> = row.iter().map(|cell| inline(cell).replace('|', "\\|")).collect();
        out += &format!("| {} |\n", cells.join(" | "));
    }
    out
}

/// One line, in which nothing but code and what is set in bold means anything to Markdown.
fn inline(text: &str) -> String {
    let mut out = String::new();
    for (index, part) in text.split('`').enumerate() {
        if index > 0 {
            out.push('`');
        }
        let is_code = index % 2 == 1;
        let mut rest = part.chars().peekable();
        while let Some(c) = rest.next() {
            match c {
                '\n' | '\r' => out.push(' '),
                '*' if !is_code && rest.peek() == Some(&'*') => {
                    rest.next();
                    out.push_str("**");
                }
                '*' | '_' | '<' | '>' | '[' | ']' | '#' if !is_code => out.extend(['\\', c]),
                _ => out.push(c),
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_wrote_means_nothing_to_markdown() {
        assert_eq!(inline("a_b *c* <d> `e_*f|` **g**\n# h"), "a\\_b \\*c\\* \\<d\\> `e_*f|` **g** \\# h");
        let rows = [vec!["`a|b`".to_owned(), "1".to_owned()]];
        let head = [Column::Text("x"), Column::Number("n")];
        assert_eq!(table(&head, &rows), "| x | n |\n| --- | ---: |\n| `a\\|b` | 1 |\n");
    }
}
