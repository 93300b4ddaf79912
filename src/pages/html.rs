//! HTML as it is written: what is ours goes in as it is, what is not goes in escaped.
//!
//! Owns: the writer and the one escaping function. Only text that is compiled in can be markup: a value that came from
//! anywhere else does not have the type for it.

/// A page in the making.
pub(super) struct Html(String);

impl Html {
    pub(super) fn new() -> Html {
        Html(String::with_capacity(4096))
    }

    /// Markup of ours.
    pub(super) fn markup(&mut self, markup: &'static str) -> &mut Html {
        self.0.push_str(markup);
        self
    }

    /// A value, as text or in a quoted attribute.
    pub(super) fn text(&mut self, value: &str) -> &mut Html {
        escape(value, &mut self.0);
        self
    }

    /// A sentence of ours with a value in it, in bold, where it says `{...}`.
    pub(super) fn sentence(&mut self, sentence: &'static str, value: &str) -> &mut Html {
        let (before, after) = around(sentence);
        self.text(before)
            .markup("<strong class=\"host\">")
            .text(value)
            .markup("</strong>")
            .text(after)
    }

    /// The same without bold, for the words of a button.
    pub(super) fn label(&mut self, sentence: &'static str, value: &str) -> &mut Html {
        let (before, after) = around(sentence);
        self.text(before).text(value).text(after)
    }

    /// Bytes written so far.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn finish(self) -> String {
        self.0
    }
}

/// What stands before and behind the `{...}` of a sentence.
fn around(sentence: &'static str) -> (&'static str, &'static str) {
    let (before, rest) = sentence.split_once('{').unwrap_or((sentence, ""));
    (before, rest.split_once('}').map_or("", |(_, after)| after))
}

/// Writes a value so that it is text between tags and between quotes, whatever it holds.
///
/// Control characters become U+FFFD: some end a value early or are no HTML at all. So do the characters that turn the
/// direction of text (Unicode 23.2): with them `moc.live` reads as another host.
fn escape(value: &str, out: &mut String) {
    for c in value.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\u{61c}'
            | '\u{200e}'
            | '\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}' => {
                out.push('\u{fffd}');
            }
            c if c.is_control() => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn escaped(value: &str) -> String {
        let mut out = String::new();
        escape(value, &mut out);
        out
    }

    #[test]
    fn what_could_end_a_text_or_an_attribute_is_escaped_and_nothing_else_is() {
        assert_eq!(
            escaped("<script>alert(\"1\" + '2') & more</script>"),
            "&lt;script&gt;alert(&quot;1&quot; + &#39;2&#39;) &amp; more&lt;/script&gt;"
        );
        assert_eq!(escaped("&lt;"), "&amp;lt;");
        assert_eq!(escaped("Grüße, 東京 = `a`/b"), "Grüße, 東京 = `a`/b");
    }

    #[test]
    fn characters_that_cannot_be_seen_but_change_what_is_seen_are_shown() {
        assert_eq!(escaped("a\0b\u{1b}c\r\nd\u{85}"), "a�b�c��d�");
        assert_eq!(escaped("\u{202e}moc.live\u{2069}"), "�moc.live�");
    }

    #[test]
    fn a_sentence_has_its_value_where_it_says_so() {
        let mut html = Html::new();
        html.sentence("to {host}.", "a<b");
        assert_eq!(html.finish(), "to <strong class=\"host\">a&lt;b</strong>.");
    }
}
