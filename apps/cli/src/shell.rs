//! `shell`: one command a line, the vault opened once (docs/cli.md §4).
//!
//! Invariant: each line with words gets exactly one answer, in order, and a failed line ends nothing.

use std::io::{self, BufRead, Read as _, Write as _};

use clap::Parser as _;
use poterne_client_core::hygiene::wipe_stack;
use serde_json::Value;
use zeroize::Zeroizing;

use crate::app::App;
use crate::args::Line;
use crate::failure::Failure;
use crate::input;
use crate::output::{Answer, Form};
use crate::texts::Texts;
use crate::words;

/// Bytes of a line at most: the longest text, escaped in JSON, several times over.
const LINE_BYTES_MAX: u64 = 2 * 1024 * 1024;
const PROMPT: &str = "poterne> ";
/// What people type to end, beside Ctrl-D.
const ENDS: [&str; 2] = ["exit", "quit"];

/// Answers line after line until the input ends. In JSON failures are answers too.
pub fn run(app: &mut App, form: Form, at_terminal: bool) -> Result<(), Failure> {
    app.open_if_there()?;
    let mut lines = io::stdin().lock();
    // Prompt and hint that can't be shown are no reason to stop.
    if at_terminal {
        writeln!(io::stderr(), "{}", app.texts().say("shell-hint")).ok();
    }
    loop {
        if at_terminal {
            write!(io::stderr(), "{PROMPT}").ok();
        }
        // A shell may wait for hours: what the last line left below lies here until then.
        wipe_stack();
        match next_line(&mut lines)? {
            Next::End => return Ok(()),
            Next::Line(line) if at_terminal && ENDS.contains(&line.trim()) => return Ok(()),
            Next::Line(line) => answer(app, form, &line)?,
            Next::TooLong => tell(app.texts(), form, Err(too_long()))?,
        }
    }
}

enum Next {
    End,
    Line(Zeroizing<String>),
    TooLong,
}

fn next_line(input: &mut impl BufRead) -> Result<Next, Failure> {
    let mut line = Zeroizing::new(Vec::new());
    let count = input.take(LINE_BYTES_MAX).read_until(b'\n', &mut line)?;
    if count == 0 {
        return Ok(Next::End);
    }
    if line.len() as u64 == LINE_BYTES_MAX && !line.ends_with(b"\n") {
        skip_line(input)?;
        return Ok(Next::TooLong);
    }
    // What is no UTF-8 is no known word either; the marks that take its place make that visible.
    Ok(Next::Line(Zeroizing::new(String::from_utf8_lossy(&line).into_owned())))
}

fn skip_line(input: &mut impl BufRead) -> io::Result<()> {
    loop {
        let buffer = input.fill_buf()?;
        let (len, end) = (buffer.len(), buffer.iter().position(|byte| *byte == b'\n'));
        input.consume(end.map_or(len, |at| at + 1));
        if len == 0 || end.is_some() {
            return Ok(());
        }
    }
}

fn too_long() -> Failure {
    Failure::Usage { message: format!("The line is longer than {LINE_BYTES_MAX} bytes.") }
}

fn answer(app: &mut App, form: Form, line: &str) -> Result<(), Failure> {
    let words = match words::split(line) {
        Ok(words) if words.is_empty() => return Ok(()),
        Ok(words) => words,
        Err(error) => {
            return tell(
                app.texts(),
                form,
                Err(Failure::Usage { message: format!("Not understood: {error}.") }),
            );
        }
    };
    let outcome = match Line::try_parse_from(words) {
        Ok(line) if input::lacks_text(&line.command) => Err(Failure::TextEmpty),
        Ok(line) => app.execute(line.command),
        Err(refused) if !refused.use_stderr() => Ok(Box::new(Help(refused.to_string())) as Box<dyn Answer>),
        Err(refused) => Err(Failure::usage(&refused)),
    };
    tell(app.texts(), form, outcome)
}

fn tell(texts: &Texts, form: Form, outcome: Result<Box<dyn Answer>, Failure>) -> Result<(), Failure> {
    match outcome {
        Ok(answer) => form.tell(&*answer, texts, &mut io::stdout()),
        Err(failure) => form.tell_failure(&failure, texts, &mut io::stdout()),
    }
}

/// Somebody asked for help.
struct Help(String);

impl Answer for Help {
    fn json(&self) -> Value {
        serde_json::json!({"help": self.0})
    }

    fn people(&self, _: &Texts) -> String {
        self.0.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(input: &[u8]) -> Vec<String> {
        let mut input = io::BufReader::new(input);
        let mut read = Vec::new();
        loop {
            match next_line(&mut input).unwrap() {
                Next::End => return read,
                Next::Line(line) => read.push(line.to_string()),
                Next::TooLong => read.push("too long".into()),
            }
        }
    }

    #[test]
    fn the_last_line_needs_no_newline() {
        assert_eq!(lines(b"queue\nstatus"), ["queue\n", "status"]);
    }

    #[test]
    fn a_line_without_end_is_skipped_whole() {
        let mut input = vec![b'x'; usize::try_from(LINE_BYTES_MAX).unwrap() * 2];
        input.extend_from_slice(b"\nqueue\n");
        assert_eq!(lines(&input), ["too long", "queue\n"]);
    }
}
