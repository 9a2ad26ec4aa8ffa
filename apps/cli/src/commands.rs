//! The commands, one function each; what they answer stands beside them.

mod attachments;
mod conversation;
mod cover;
mod desk;
pub mod passphrase;
mod status;
mod talk;
pub mod warning;

use poterne_client_core::attachment::Attachable;
use poterne_client_core::files::Letter;
use poterne_client_core::records::LocalId;

use crate::args::{Command, Desk, Text, With};
use crate::attach;
use crate::failure::Failure;
use crate::output::Answer;
use crate::session::Session;
use crate::texts::Texts;

/// Carries out one command on an open home.
pub async fn carry_out(
    command: Command,
    session: &mut Session,
    texts: &Texts,
) -> Result<Box<dyn Answer>, Failure> {
    match command {
        Command::Ask { card, text, with, language, clock } => {
            if clock.believe_relays_clock {
                session.requester()?.0.believe_relays_clock();
            }
            let language = language_code(language.language.as_deref().unwrap_or(texts.language().code()))?;
            let file = attached(&with)?;
            boxed(talk::ask(session, &card, letter(&text, file.as_ref())?, language).await)
        }
        Command::Claim { id } => boxed(desk::claim(session, id.as_deref()).await),
        Command::Close { case } => boxed(desk::close(session, &case).await),
        Command::Cover { id } => boxed(cover::cover(session, id.as_deref()).await),
        Command::Desk(Desk::Card) => boxed(desk::card(session)),
        Command::Desk(Desk::Create { name, relays }) => boxed(desk::create(session, &name, &relays).await),
        Command::Inbox { to, into } => {
            boxed(talk::inbox(session, to.to.as_deref(), into.save.as_deref()).await)
        }
        Command::Queue => boxed(desk::queue(session).await),
        Command::Read { case, into } => boxed(desk::read(session, &case, into.save.as_deref()).await),
        Command::Release { case } => boxed(desk::release(session, &case).await),
        Command::Reply { case, text, with } => {
            let file = attached(&with)?;
            boxed(desk::reply(session, &case, letter(&text, file.as_ref())?).await)
        }
        Command::Say { text, with, to, again, clock } => {
            if clock.believe_relays_clock {
                session.requester()?.0.believe_relays_clock();
            }
            let file = attached(&with)?;
            let (to, letter) = (to.to.as_deref(), letter(&text, file.as_ref())?);
            match again {
                true => boxed(talk::ask_again(session, to, letter).await),
                false => boxed(talk::say(session, to, letter).await),
            }
        }
        Command::Status => boxed(status::status(session).await),
    }
}

fn boxed<A: Answer + 'static>(outcome: Result<A, Failure>) -> Result<Box<dyn Answer>, Failure> {
    outcome.map(|answer| Box::new(answer) as Box<dyn Answer>)
}

/// What is said, and the file that goes with it. A file goes with a text, never alone.
fn letter<'a>(text: &'a Text, file: Option<&'a Attachable>) -> Result<Letter<'a>, Failure> {
    let text = text.text.as_deref().filter(|text| !text.is_empty()).ok_or(Failure::TextEmpty)?;
    Ok(Letter { text, file })
}

fn attached(with: &With) -> Result<Option<Attachable>, Failure> {
    with.attach.as_deref().map(attach::attachable).transpose()
}

/// Characters of an id that are enough, where only one of those known begins with them.
const ID_CHARACTERS_MIN: usize = 4;

/// The id that a text names: the whole of it, or a beginning that no other has.
fn named(text: &str, known: &[LocalId]) -> Option<LocalId> {
    if text.chars().count() < ID_CHARACTERS_MIN {
        return None;
    }
    let mut found = known.iter().filter(|id| id.to_string().starts_with(text));
    found.next().filter(|_| found.next().is_none()).copied()
}

/// Two or three letters (ISO 639), in four bytes with zeros behind.
fn language_code(text: &str) -> Result<[u8; 4], Failure> {
    let is_code = (2..=3).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphabetic());
    if !is_code {
        return Err(Failure::Usage { message: "A language is two or three letters, for example uk.".into() });
    }
    let mut code = [0; 4];
    code[..text.len()].copy_from_slice(text.to_ascii_lowercase().as_bytes());
    Ok(code)
}

/// A language as letters again; what others sent is shown only where it is a code.
pub fn language_text(code: [u8; 4]) -> String {
    let letters = code.iter().take_while(|byte| **byte != 0);
    let text: String = letters.map(|byte| char::from(*byte)).collect();
    if language_code(&text).is_ok() { text } else { String::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_may_be_cut_short_where_only_one_begins_so() {
        let known = [LocalId([0x12, 0x34, 0x56, 0, 0, 0, 0, 0]), LocalId([0x12, 0x34, 0x78, 0, 0, 0, 0, 0])];
        assert_eq!(named("12345", &known), Some(known[0]));
        assert_eq!(named("1234780000000000", &known), Some(known[1]));
        for unclear in ["1234", "123", "", "9999", "12345600000000000", "1234560000000001"] {
            assert_eq!(named(unclear, &known), None);
        }
    }

    #[test]
    fn a_language_is_two_or_three_letters() {
        assert_eq!(language_code("UK").unwrap(), *b"uk\0\0");
        assert_eq!(language_text(*b"kab\0"), "kab");
        for wrong in ["", "u", "укр", "latin", "u1"] {
            assert_eq!(language_code(wrong).unwrap_err().code(), "usage");
        }
        assert_eq!(language_text(*b"\x1b[2J"), "");
    }
}
