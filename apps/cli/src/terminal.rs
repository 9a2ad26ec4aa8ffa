//! The terminal of the person: questions with and without echo.
//!
//! Questions go to the terminal itself, so that they work with standard input and output redirected. Invariant: while a
//! passphrase is typed nothing is echoed, and what was set before is set again, also on an error or Ctrl-C.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::fd::AsFd;

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};
use zeroize::Zeroizing;

use crate::layout::fitted;

/// Bytes of a line that is typed at most; beyond, somebody pipes a file.
const LINE_BYTES: usize = 4096;

const CTRL_C: u8 = 0x03;
const CTRL_D: u8 = 0x04;
const CTRL_U: u8 = 0x15;
const BACKSPACES: [u8; 2] = [0x08, 0x7f];

/// The terminal that controls this process.
#[derive(Debug)]
pub struct Terminal {
    tty: File,
}

impl Terminal {
    /// `None` where there is no terminal.
    pub fn open() -> Option<Self> {
        let tty = OpenOptions::new().read(true).write(true).open("/dev/tty").ok()?;
        Some(Self { tty })
    }

    /// Shows a text in lines that fit.
    pub fn show(&mut self, text: &str) -> io::Result<()> {
        let lines = Zeroizing::new(fitted(text, columns(&self.tty)));
        self.tty.write_all(lines.as_bytes())
    }

    /// Shows a question and reads a line.
    pub fn ask(&mut self, question: &str) -> io::Result<Zeroizing<String>> {
        self.show(question)?;
        let mut line = SecretLine::new();
        while !line.take(self.byte()?)? {}
        line.into_text()
    }

    /// Shows a question and reads a line that nobody else shall see.
    pub fn ask_secretly(&mut self, question: &str) -> io::Result<Zeroizing<String>> {
        self.show(question)?;
        let mut line = SecretLine::new();
        {
            let _silence = Silence::begin(&self.tty)?;
            while !line.take(self.byte()?)? {}
        }
        self.show("\n")?;
        line.into_text()
    }

    /// The end of the input reads as Ctrl-D.
    fn byte(&self) -> io::Result<u8> {
        let mut byte = [0];
        Ok(if (&self.tty).read(&mut byte)? == 0 { CTRL_D } else { byte[0] })
    }
}

/// Columns of the terminal behind a file; `None` where there is none, or it does not tell.
pub fn columns(file: impl AsFd) -> Option<usize> {
    tcgetwinsize(file).ok().map(|size| usize::from(size.ws_col)).filter(|columns| *columns > 0)
}

/// A line while it is typed, in one buffer that is never moved, so that nothing of it stays elsewhere.
struct SecretLine(Zeroizing<Vec<u8>>);

impl SecretLine {
    fn new() -> Self {
        Self(Zeroizing::new(Vec::with_capacity(LINE_BYTES)))
    }

    /// Takes a typed byte; true when the line has ended.
    fn take(&mut self, byte: u8) -> io::Result<bool> {
        match byte {
            b'\n' | b'\r' => return Ok(true),
            CTRL_C => return Err(io::ErrorKind::Interrupted.into()),
            CTRL_D if self.0.is_empty() => return Err(io::ErrorKind::UnexpectedEof.into()),
            CTRL_D => return Ok(true),
            CTRL_U => self.0.clear(),
            _ if BACKSPACES.contains(&byte) => self.drop_letter(),
            _ if self.0.len() == LINE_BYTES => return Err(io::ErrorKind::InvalidInput.into()),
            _ => self.0.push(byte),
        }
        Ok(false)
    }

    /// A letter may have several bytes (UTF-8).
    fn drop_letter(&mut self) {
        while self.0.pop().is_some_and(|byte| byte & 0xC0 == 0x80) {}
    }

    fn into_text(self) -> io::Result<Zeroizing<String>> {
        let text = std::str::from_utf8(&self.0).map_err(|_| io::ErrorKind::InvalidData)?;
        Ok(Zeroizing::new(text.to_owned()))
    }
}

/// No echo, and bytes as they are typed, as long as it lives. Ctrl-C comes as a byte, so that it can't leave the
/// terminal silent.
struct Silence<'a> {
    tty: &'a File,
    before: Termios,
}

impl<'a> Silence<'a> {
    fn begin(tty: &'a File) -> io::Result<Self> {
        let before = tcgetattr(tty)?;
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG);
        tcsetattr(tty, OptionalActions::Flush, &silent)?;
        Ok(Self { tty, before })
    }
}

impl Drop for Silence<'_> {
    fn drop(&mut self) {
        // Nothing more can be done about a terminal that is gone.
        tcsetattr(self.tty, OptionalActions::Now, &self.before).ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(bytes: &[u8]) -> io::Result<String> {
        let mut line = SecretLine::new();
        for byte in bytes {
            if line.take(*byte)? {
                break;
            }
        }
        line.into_text().map(|text| text.to_string())
    }

    #[test]
    fn a_line_ends_with_enter() {
        assert_eq!(typed(b"right words\nmore").unwrap(), "right words");
    }

    #[test]
    fn backspace_takes_a_whole_letter_back() {
        assert_eq!(typed("дім\u{7f}\u{7f}ах\n".as_bytes()).unwrap(), "дах");
        assert_eq!(typed(b"\x7f\x08a\n").unwrap(), "a");
        assert_eq!(typed(b"wrong\x15right\n").unwrap(), "right");
    }

    #[test]
    fn ctrl_c_and_an_end_without_a_letter_are_no_passphrase() {
        assert_eq!(typed(b"ab\x03").unwrap_err().kind(), io::ErrorKind::Interrupted);
        assert_eq!(typed(b"\x04").unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        assert_eq!(typed(b"ab\x04").unwrap(), "ab");
    }

    #[test]
    fn what_is_too_long_or_no_text_is_refused() {
        assert_eq!(typed(&[b'a'; LINE_BYTES + 1]).unwrap_err().kind(), io::ErrorKind::InvalidInput);
        assert_eq!(typed(&[0xff, b'\n']).unwrap_err().kind(), io::ErrorKind::InvalidData);
    }
}
