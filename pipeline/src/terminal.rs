//! What a terminal may be given. What programs print, recipes say and files are called is foreign: escape sequences in it
//! clear lines, change titles and move the cursor, so that what is read is not what is there.

use std::borrow::Cow;
use std::env::var_os;
use std::io::IsTerminal;
use std::iter::Peekable;
use std::str::Chars;

/// Whether a stream goes to a terminal that moves its cursor. One that says that it is dumb, or nothing of itself, prints
/// whatever it is given.
pub fn can_draw(stream: &impl IsTerminal) -> bool {
    stream.is_terminal() && var_os("TERM").is_some_and(|term| !term.is_empty() && term != "dumb")
}

/// Whether a stream goes to a terminal where colours are wanted (<https://no-color.org>).
pub fn wants_colours(stream: &impl IsTerminal) -> bool {
    can_draw(stream) && var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// A text without what steers a terminal: escape sequences as a whole, and every control character but the line's end.
pub fn harmless(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_foul) {
        return Cow::Borrowed(text);
    }
    let mut clean = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\t' => clean.push_str("    "),
            '\r' if !matches!(rest.peek(), Some('\n') | None) => clean.push(' '),
            '\x1b' => skip_escape(&mut rest),
            '\u{9b}' => skip_control_sequence(&mut rest),
            '\u{90}' | '\u{98}' | '\u{9d}' | '\u{9e}' | '\u{9f}' => skip_string(&mut rest),
            c if is_foul(c) => {}
            c => clean.push(c),
        }
    }
    Cow::Owned(clean)
}

/// A text with what steers a terminal written out: `\x1b[2K`. Where nothing may be hidden.
pub fn visible(text: &str) -> Cow<'_, str> {
    written_out(text, |_| false)
}

/// The same of a text that has colours of our own and no other escapes.
pub fn visible_but_colours(text: &str) -> Cow<'_, str> {
    written_out(text, |c| c == '\x1b')
}

fn written_out(text: &str, is_ours: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.chars().any(|c| is_foul(c) && !is_ours(c)) {
        return Cow::Borrowed(text);
    }
    let shown = text.chars().fold(String::with_capacity(text.len()), |shown, c| match c {
        '\t' => shown + "\\t",
        '\r' => shown + "\\r",
        c if !is_foul(c) || is_ours(c) => shown + c.encode_utf8(&mut [0; 4]),
        c if c.is_ascii() => shown + &format!("\\x{:02x}", u32::from(c)),
        c => shown + &format!("\\u{{{:x}}}", u32::from(c)),
    });
    Cow::Owned(shown)
}

/// What a terminal shows in the end of a line that a program printed: behind a carriage return it begins anew.
pub fn settled(line: &str) -> Cow<'_, str> {
    line.rsplit('\r').map(harmless).find(|piece| !piece.trim().is_empty()).unwrap_or_default()
}

/// The same of several lines.
pub fn all_settled(text: &str) -> String {
    let lines = text.split_inclusive('\n').map(|line| match line.strip_suffix('\n') {
        Some(line) => settled(line) + "\n",
        None => settled(line),
    });
    lines.collect()
}

/// The end of a line that a program printed: of a long one, what comes last says most.
pub fn end_of_line(line: &str, longest: usize) -> String {
    let line = settled(line);
    let line = line.trim_end();
    let length = line.chars().count();
    if length <= longest {
        line.to_owned()
    } else {
        format!("...{}", line.chars().skip(length - longest).collect::<String>())
    }
}

/// The beginning of a text, as one line.
pub fn beginning(text: &str, longest: usize) -> String {
    let text = harmless(text.trim_end()).replace('\n', " ");
    let start: String = text.chars().take(longest).collect();
    if start.len() < text.len() { format!("{start}...") } else { start }
}

/// Control characters but the line's end, and those that are not seen and change how others are: directions of writing,
/// other ends of lines, spaces without width, tags.
pub fn is_foul(c: char) -> bool {
    match c {
        '\n' => false,
        '\u{200e}' | '\u{200f}' | '\u{61c}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => true,
        '\u{2028}' | '\u{2029}' | '\u{200b}' | '\u{180e}' | '\u{2060}'..='\u{2064}' | '\u{feff}' => true,
        '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}' => true,
        c => c.is_control(),
    }
}

/// What follows an escape character (ECMA-48).
fn skip_escape(rest: &mut Peekable<Chars>) {
    match rest.peek() {
        Some('[') => {
            rest.next();
            skip_control_sequence(rest);
        }
        Some(']' | 'P' | 'X' | '^' | '_') => skip_string(rest),
        _ => {
            while rest.next_if(|c| matches!(c, ' '..='/')).is_some() {}
            rest.next_if(|c| matches!(c, '0'..='~'));
        }
    }
}

/// Parameters, and the letter that ends them.
fn skip_control_sequence(rest: &mut Peekable<Chars>) {
    while rest.next_if(|c| matches!(c, ' '..='?')).is_some() {}
    rest.next_if(|c| matches!(c, '@'..='~'));
}

/// All that is said to the terminal, up to the sign that ends it. One without an end takes no further line with it.
fn skip_string(rest: &mut Peekable<Chars>) {
    while let Some(c) = rest.next_if(|c| *c != '\n') {
        match c {
            '\x07' | '\u{9c}' => return,
            '\x1b' if rest.next_if(|c| *c == '\\').is_some() => return,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_steers_a_terminal_is_taken_out() {
        for (text, expected) in [
            ("plain, größe, 日本, 👩‍🔬 ok\n", "plain, größe, 日本, 👩‍🔬 ok\n"),
            ("\x1b[1;31mred\x1b[0m", "red"),
            ("a\x1b[2K\x1b[1Gb", "ab"),
            ("a\x1b]0;a title\x07b\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "ablink"),
            ("\x1bPdevice\x1b\\x\x1b_application\u{9c}y", "xy"),
            ("\x1b]never ended\nnext", "\nnext"),
            ("\u{9b}31mred\u{9d}title\u{9c}!", "red!"),
            ("\x1b(B\x1bc\x1b7x\x1b", "x"),
            ("\x1b[31\nm", "\nm"),
            ("bell\x07 back\x08 nul\0 del\x7f", "bell back nul del"),
            ("a\tb\r\nc\rd\r", "a    b\nc d"),
            ("admin\u{202e}nimda\u{2066} \u{200b}x\u{2028}y\u{feff}", "adminnimda xy"),
        ] {
            assert_eq!(harmless(text), expected);
        }
    }

    #[test]
    fn what_would_hide_something_is_written_out() {
        let text = "rm -rf ~\x1b[2K\recho\thello\x07\n\u{202e}x\u{9b}";
        assert_eq!(visible(text), "rm -rf ~\\x1b[2K\\recho\\thello\\x07\n\\u{202e}x\\u{9b}");
        assert_eq!(visible_but_colours("\x1b[1mbold\x1b[0m\u{9b}"), "\x1b[1mbold\x1b[0m\\u{9b}");
        assert_eq!(visible("größe\n"), "größe\n");
    }

    #[test]
    fn of_a_line_its_last_state_is_kept_and_of_a_long_one_the_end() {
        let bar = "\r\x1b[32mepoch   0/200\x1b[0m\r\x1b[32mepoch 199/200\x1b[0m |##|\x1b]0;t\x07\x1b[2JRuntimeError: CUDA out of memory";
        assert_eq!(settled(bar), "epoch 199/200 |##|RuntimeError: CUDA out of memory");
        assert_eq!([settled("done\r \r\n"), settled("one\r\n"), settled("\r\x1b[K")], ["done", "one", ""]);
        assert_eq!(all_settled("1%\r2%\nnext\r\n\nlast\rend"), "2%\nnext\n\nend");
        assert_eq!(end_of_line(&format!("{}RuntimeError: broken\n", "x".repeat(400)), 20), "...RuntimeError: broken");
        assert_eq!(end_of_line("short \n", 20), "short");
        assert_eq!(beginning("a\nb\x1b[1mc", 2), "a ...");
    }

    /// Texts that are full of escapes.
    fn foul() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            any::<String>(),
            "[\\x00-\\x1f\\x7f-\\x9f]{1,3}",
            "\\x1b[\\[\\]PX^_()#][0-9;?]{0,4}[a-zA-Z]?",
            "[\u{200b}\u{202e}\u{2066}\u{2028}\u{feff}\u{e0041}a-c\\r\\n]{0,4}",
        ];
        prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 4000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn nothing_that_steers_a_terminal_is_left(text in foul(), longest in 0usize..40) {
            let is_clean = |text: &str| text.chars().all(|c| c == '\n' || !is_foul(c) && !c.is_control());
            prop_assert!(is_clean(&harmless(&text)) && is_clean(&visible(&text)) && is_clean(&all_settled(&text)));
            let (end, start) = (end_of_line(&text, longest), beginning(&text, longest));
            prop_assert!(is_clean(&end) && is_clean(&start) && !start.contains('\n'));
            prop_assert!(end.chars().count() <= longest + 3 && start.chars().count() <= longest + 3);
            prop_assert_eq!(harmless(&text).matches('\n').count(), text.matches('\n').count(), "no line is lost");
            let once = harmless(&text);
            prop_assert_eq!(harmless(&once), once.clone(), "nothing becomes an escape by what was taken out");
        }

        #[test]
        fn other_texts_are_left_as_they_are(text in "[ -~äöü日本\n]{0,40}") {
            prop_assert_eq!(harmless(&text), text.as_str());
            prop_assert_eq!(visible(&text), text.as_str());
        }
    }
}
