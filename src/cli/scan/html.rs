//! The inventory as one page without scripts, to be looked at offline.

use std::fmt::Write;

use super::super::markup::escaped;
use super::rows;
use crate::review::inventory::Inventory;

const HEAD: &str = "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>Identifiers in telemetry</title>\n<style>
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 72rem; padding: 0 1rem; color: #1d2a22; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .3rem .7rem; border-bottom: 1px solid #dfe6e1; vertical-align: top; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; }
code, pre { font: 13px/1.5 ui-monospace, monospace; }
pre { background: #f3f6f4; padding: 1rem; overflow-x: auto; }
@media (prefers-color-scheme: dark) { body { background: #151b17; color: #dfe6e1; } pre { background: #1f2822; } th, td { border-color: #2e3a32; } }
</style>\n<h1>Identifiers in telemetry</h1>\n";

pub(super) fn page(inventory: &Inventory, show_values: bool) -> String {
    let mut out = String::from(HEAD);
    let clean = inventory.fields.values().filter(|field| field.rules.is_empty()).count();
    let mut put = |text: std::fmt::Arguments<'_>| out.write_fmt(text).expect("a String grows");
    put(format_args!(
        "<p>{} records; {clean} of {} fields hold nothing of this.</p>\n<table>\n<tr><th>field<th class=n>of values<th class=n>with one<th class=n>distinct<th>kind<th>found by",
        inventory.records,
        inventory.fields.len()
    ));
    if show_values {
        put(format_args!("<th>for example"));
    }
    for (field, values, rule, finding) in rows(inventory) {
        let how = if finding.by_key { "its key" } else { "search" };
        put(format_args!(
            "\n<tr><td><code>{}</code><td class=n>{values}<td class=n>{}<td class=n>{}<td>{}<td>{how}: {}",
            escaped(field),
            finding.values,
            finding.distinct(),
            escaped(&finding.kinds.join(", ")),
            escaped(rule),
        ));
        if show_values {
            put(format_args!("<td><code>{}</code>", escaped(&finding.sample)));
        }
    }
    put(format_args!("\n</table>\n"));
    let stubs = inventory.stubs();
    if !stubs.is_empty() {
        put(format_args!(
            "<h2>Keys that no rule names</h2>\n<p>To be pasted below <code>rules:</code>.</p>\n<pre>{}</pre>\n",
            escaped(&stubs)
        ));
    }
    out
}
