//! Texts that come from standard input rather than from the command line, where history and process lists keep them.

use std::io::{self, IsTerminal as _, Read, Write as _};

use zeroize::Zeroizing;

use crate::args::Command;
use crate::failure::Failure;
use crate::texts::Texts;

/// Bytes of a text at most; what a message can carry is less.
const TEXT_BYTES_MAX: u64 = 1024 * 1024;

/// Reads the command's text from standard input where it needs one and none was given.
pub fn complete(mut command: Command, texts: &Texts) -> Result<Command, Failure> {
    if let Command::Ask { text, .. } | Command::Reply { text, .. } | Command::Say { text, .. } = &mut command
        && text.text.is_none()
    {
        text.text = Some(typed_or_piped(texts)?);
    }
    Ok(command)
}

/// Whether a command needs a text and has none: in `shell` standard input holds the commands.
pub fn lacks_text(command: &Command) -> bool {
    match command {
        Command::Ask { text, .. } | Command::Reply { text, .. } | Command::Say { text, .. } => {
            text.text.is_none()
        }
        _ => false,
    }
}

fn typed_or_piped(texts: &Texts) -> Result<String, Failure> {
    if io::stdin().is_terminal() {
        // A hint that can't be shown is no reason to stop.
        writeln!(io::stderr(), "{}", texts.say("text-hint")).ok();
    }
    read_text(&mut io::stdin().lock())
}

/// All of the input, without the newlines at its end.
fn read_text(input: &mut impl Read) -> Result<String, Failure> {
    let mut bytes = Zeroizing::new(Vec::new());
    input.take(TEXT_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > TEXT_BYTES_MAX {
        return Err(Failure::TextTooLong);
    }
    let text = std::str::from_utf8(&bytes).map_err(|_| Failure::TextUnreadable)?;
    Ok(text.trim_end_matches(['\n', '\r']).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_the_input_is_no_part_of_the_text() {
        assert_eq!(read_text(&mut "two\nlines\r\n\n".as_bytes()).unwrap(), "two\nlines");
    }

    #[test]
    fn what_is_no_text_or_too_long_is_refused() {
        assert_eq!(read_text(&mut &b"\xff"[..]).unwrap_err(), Failure::TextUnreadable);
        assert_eq!(read_text(&mut vec![b'x'; 1024 * 1024 + 1].as_slice()).unwrap_err(), Failure::TextTooLong);
    }
}
