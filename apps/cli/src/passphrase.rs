//! Where the passphrase comes from: a file, or the person at the terminal (docs/cli.md §2).
//!
//! A file's passphrase is any text: whoever writes files judges for herself. A person who makes a vault is offered a
//! generated one; her own is taken from 12 characters on.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use fluent::fluent_args;
use poterne_client_core::passphrase::{Language, OWN_CHARACTERS_MIN, accept_own, check};
use zeroize::Zeroizing;

use crate::failure::Failure;
use crate::terminal::Terminal;
use crate::texts::Texts;

/// Bytes of a passphrase file at most; beyond, it is some other file.
const FILE_BYTES_MAX: u64 = 64 * 1024;

/// Times that a person at the terminal is asked.
pub const TRIES: usize = 3;

/// A passphrase as bytes, wiped on drop.
pub type Passphrase = Zeroizing<Vec<u8>>;

/// The passphrase in a file, without the last newline.
pub fn from_file(path: &Path) -> Result<Passphrase, Failure> {
    let unreadable = |kind| Failure::PassphraseUnreadable { path: path.display().to_string(), kind };
    let file = File::open(path).map_err(|error| unreadable(error.kind()))?;
    let mut bytes = Zeroizing::new(Vec::with_capacity(FILE_BYTES_MAX as usize + 1));
    let read = file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes);
    read.map_err(|error| unreadable(error.kind()))?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(unreadable(io::ErrorKind::FileTooLarge));
    }
    drop_newline(&mut bytes);
    if bytes.is_empty() { Err(Failure::PassphraseEmpty) } else { Ok(bytes) }
}

fn drop_newline(bytes: &mut Vec<u8>) {
    if bytes.ends_with(b"\n") {
        bytes.pop();
        if bytes.ends_with(b"\r") {
            bytes.pop();
        }
    }
}

/// Asks for the passphrase of a vault that is there.
pub fn asked(texts: &Texts) -> Result<Passphrase, Failure> {
    let mut terminal = Terminal::open().ok_or(Failure::PassphraseMissing)?;
    let typed = terminal.ask_secretly(&texts.say("passphrase-ask"))?;
    if typed.is_empty() { Err(Failure::PassphraseEmpty) } else { Ok(canonical(&typed)) }
}

/// Says at the terminal that it was not that one.
pub fn told_wrong(texts: &Texts) -> Result<(), Failure> {
    let mut terminal = Terminal::open().ok_or(Failure::PassphraseMissing)?;
    Ok(terminal.show(&format!("{}\n", Failure::PassphraseWrong.message(texts)))?)
}

/// Offers a generated passphrase for a new vault, and takes that or the person's own, typed twice.
pub fn chosen(texts: &Texts, generated: &Zeroizing<String>) -> Result<Passphrase, Failure> {
    let mut terminal = Terminal::open().ok_or(Failure::PassphraseMissing)?;
    let offer = texts.with(
        "passphrase-offer",
        &fluent_args!["passphrase" => generated.as_str(), "letters" => OWN_CHARACTERS_MIN],
    );
    terminal.show(&Zeroizing::new(offer))?;
    for _ in 1..TRIES {
        match choose(&mut terminal, texts, generated) {
            Err(slip @ (Failure::PassphraseDiffers | Failure::PassphraseShort { .. })) => {
                terminal.show(&format!("{}\n", slip.message(texts)))?;
            }
            chosen => return chosen,
        }
    }
    choose(&mut terminal, texts, generated)
}

fn choose(
    terminal: &mut Terminal,
    texts: &Texts,
    generated: &Zeroizing<String>,
) -> Result<Passphrase, Failure> {
    let own = terminal.ask_secretly(&texts.say("passphrase-choose"))?;
    let choice = if own.is_empty() { generated } else { &own };
    accept_own(choice).map_err(|_| Failure::PassphraseShort { letters: OWN_CHARACTERS_MIN })?;
    let again = terminal.ask_secretly(&texts.say("passphrase-again"))?;
    let (first, second) = (canonical(choice), canonical(&again));
    if first == second { Ok(first) } else { Err(Failure::PassphraseDiffers) }
}

/// A generated phrase in its canonical form, in whatever language and however it was typed; another as it was typed.
fn canonical(typed: &str) -> Passphrase {
    let generated = Language::ALL.into_iter().find_map(|language| check(language, typed).ok());
    Zeroizing::new(generated.as_ref().map_or(typed, |phrase| phrase.as_str()).as_bytes().to_vec())
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::Interrupted | io::ErrorKind::UnexpectedEof => Self::Interrupted,
            kind => Self::InputFailed { kind },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn file(content: &[u8]) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("passphrase");
        std::fs::write(&path, content).unwrap();
        (folder, path)
    }

    fn read(content: &[u8]) -> Result<Vec<u8>, Failure> {
        let (_folder, path) = file(content);
        from_file(&path).map(|passphrase| passphrase.to_vec())
    }

    #[test]
    fn the_last_newline_of_a_file_is_no_part_of_it() {
        assert_eq!(read(b"x\n").unwrap(), b"x");
        assert_eq!(read(b"x\r\n").unwrap(), b"x");
        assert_eq!(read(b" x \n\n").unwrap(), b" x \n");
        assert_eq!(read(b"x").unwrap(), b"x");
    }

    #[test]
    fn an_empty_file_is_no_passphrase() {
        assert_eq!(read(b"\n").unwrap_err(), Failure::PassphraseEmpty);
        assert_eq!(read(b"").unwrap_err(), Failure::PassphraseEmpty);
    }

    #[test]
    fn a_file_that_is_missing_or_huge_is_unreadable() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(from_file(&folder.path().join("none")).unwrap_err().code(), "passphrase_unreadable");
        assert_eq!(read(&[b'x'; 70_000]).unwrap_err().code(), "passphrase_unreadable");
    }

    #[test]
    fn a_generated_phrase_may_be_typed_in_capitals_and_cut_short() {
        let phrase = "permit true finger sand rare science people catalog";
        assert_eq!(*canonical("PERM true  Fing sand rare scie peop cata"), phrase.as_bytes());
        assert_eq!(*canonical("My own  Words, as they are"), b"My own  Words, as they are");
    }
}
