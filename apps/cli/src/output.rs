//! What a command prints: JSON for scripts, texts for people.
//!
//! Invariant: an answer is written whole or the command fails; what it tells lies in the vault already, so a reader who
//! goes away early loses nothing. What others wrote can't steer the terminal.

use std::io::{self, Write};

use serde_json::Value;

use crate::failure::Failure;
use crate::layout::fitted;
use crate::texts::Texts;

/// What a command found or did.
pub trait Answer {
    /// For scripts (docs/cli.md §3).
    fn json(&self) -> Value;

    /// For people, with its last newline.
    fn people(&self, texts: &Texts) -> String;
}

/// In which form answers and failures are told.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Form {
    /// JSON, one line.
    Json,
    /// Texts, in lines of so many columns at most where they are shown on a terminal.
    People { columns: Option<usize> },
}

impl Form {
    /// Writes an answer to `out`.
    pub fn tell(self, answer: &dyn Answer, texts: &Texts, out: &mut impl Write) -> Result<(), Failure> {
        let text = match self {
            Self::Json => format!("{}\n", answer.json()),
            Self::People { columns } => fitted(&answer.people(texts), columns),
        };
        write_whole(&text, out)
    }

    /// Writes a failure to `out`.
    pub fn tell_failure(self, failure: &Failure, texts: &Texts, out: &mut impl Write) -> Result<(), Failure> {
        let text = match self {
            Self::Json => format!("{}\n", failure.json(texts)),
            Self::People { columns } => fitted(&format!("{}\n", failure.message(texts)), columns),
        };
        write_whole(&text, out)
    }
}

fn write_whole(text: &str, out: &mut impl Write) -> Result<(), Failure> {
    let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    written.map_err(|error: io::Error| Failure::OutputFailed { kind: error.kind() })
}

/// A text from somebody else, without what would steer a terminal or turn the direction of writing.
pub fn harmless(text: &str) -> String {
    let shown = |letter: char| match letter {
        '\n' | '\t' => letter,
        '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => '\u{fffd}',
        _ if letter.is_control() => '\u{fffd}',
        _ => letter,
    };
    text.replace("\r\n", "\n").chars().map(shown).collect()
}

/// Each line of a text moved to the right, below a heading.
pub fn indented(text: &str) -> String {
    harmless(text).lines().map(|line| format!("    {line}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::texts::Language;

    struct Said;

    impl Answer for Said {
        fn json(&self) -> Value {
            serde_json::json!({"text": "line\nline"})
        }

        fn people(&self, _: &Texts) -> String {
            "line\nline\n".into()
        }
    }

    struct Gone;

    impl Write for Gone {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn told(form: Form) -> String {
        let mut out = Vec::new();
        form.tell(&Said, &Texts::new(Language::En), &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn json_is_one_line() {
        assert_eq!(told(Form::Json), "{\"text\":\"line\\nline\"}\n");
    }

    #[test]
    fn a_reader_who_has_gone_is_a_failure_and_no_panic() {
        let people = Form::People { columns: None };
        let failure = people.tell(&Said, &Texts::new(Language::En), &mut Gone).unwrap_err();
        assert_eq!(failure.code(), "output_failed");
    }

    #[test]
    fn a_text_can_not_steer_the_terminal() {
        assert_eq!(
            harmless("a\x1b[2Jb\u{9b}c\u{202e}d\te\r\nf\rg"),
            "a\u{fffd}[2Jb\u{fffd}c\u{fffd}d\te\nf\u{fffd}g"
        );
        assert_eq!(harmless("Допоможіть, будь ласка 🙏"), "Допоможіть, будь ласка 🙏");
    }
}
