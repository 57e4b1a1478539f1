//! Text in HTML and XML.

/// A text that means nothing to whoever reads the markup around it.
pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
