//! What a requester does: `ask`, `say`, `inbox` (docs/cli.md §3.1).

use std::path::Path;

use poterne_client_core::files::Letter;
use poterne_client_core::records::LocalId;
use poterne_client_core::requester::{self, Requester, SayError, Stop};
use poterne_client_core::transcript::{self, Author, SentState};
use poterne_protocol::card::{Card, CardError};
use serde_json::{Value, json};

use crate::commands::attachments;
use crate::commands::conversation::{Conversation, Shown};
use crate::commands::named;
use crate::commands::warning::{self, Warning};
use crate::failure::Failure;
use crate::output::Answer;
use crate::session::{Session, Tools};
use crate::texts::Texts;
use crate::time;

/// How far a text has come that was just given.
pub struct Sent {
    conversation: LocalId,
    is_stored: bool,
    is_request: bool,
    warnings: Vec<Warning>,
}

impl Answer for Sent {
    fn json(&self) -> Value {
        let state = if self.is_stored { "stored" } else { "queued" };
        let warnings = warning::codes(&self.warnings);
        json!({"state": state, "conversation": self.conversation.to_string(), "warnings": warnings})
    }

    fn people(&self, texts: &Texts) -> String {
        let said = match (self.is_request, self.is_stored) {
            (true, true) => texts.say("ask-stored"),
            (true, false) => texts.say("ask-queued"),
            (false, true) => texts.say("say-stored"),
            (false, false) => texts.say("say-queued"),
        };
        format!("{said}\n{}", warning::in_words(&self.warnings, texts))
    }
}

/// Begins a conversation with the desk of a card.
pub async fn ask(
    session: &mut Session,
    card: &str,
    letter: Letter<'_>,
    language: [u8; 4],
) -> Result<Sent, Failure> {
    let (requester, tools) = session.requester()?;
    let card = Card::parse(card)?;
    let now = tools.now();
    let id = requester.ask(card, letter, language, now, tools.rng())?;
    send(requester, tools, id, true).await
}

/// Goes on in a conversation.
pub async fn say(session: &mut Session, to: Option<&str>, letter: Letter<'_>) -> Result<Sent, Failure> {
    let (requester, tools) = session.requester()?;
    let id = chosen(requester, to)?;
    let now = tools.now();
    requester.say(id, letter, now, tools.rng()).map_err(|error| refusal(requester, id, error))?;
    let sent = send(requester, tools, id, false).await?;
    match stop(requester, id) {
        Some(stopped) if !sent.is_stored => {
            requester.withdraw_draft(id);
            tools.keep(requester)?;
            Err(stopped)
        }
        _ => Ok(sent),
    }
}

/// Begins anew with the desk of a conversation, as the same person.
pub async fn ask_again(session: &mut Session, to: Option<&str>, letter: Letter<'_>) -> Result<Sent, Failure> {
    let (requester, tools) = session.requester()?;
    let id = chosen(requester, to)?;
    let now = tools.now();
    requester.ask_again(id, letter, now, tools.rng())?;
    send(requester, tools, id, true).await
}

/// Fetches what is new and shows the whole conversation. Files go into the folder, if one is named.
pub async fn inbox(
    session: &mut Session,
    to: Option<&str>,
    folder: Option<&Path>,
) -> Result<Conversation, Failure> {
    let (requester, tools) = session.requester()?;
    tools.look(requester).await?;
    let id = match chosen(requester, to) {
        Err(Failure::ConversationNone) => return Ok(nothing_yet(tools)),
        chosen => chosen?,
    };
    let now = tools.now();
    let files = attachments::shown(requester, &tools.vault, id, folder);
    tools.keep(requester)?;
    let files = files?;
    let (transcript, sent) = (transcript::read(&tools.vault, id)?, requester.sent(id));
    let mut messages = Shown::all(&transcript, Author::Requester, &sent, &files);
    messages.extend(requester.unchecked(id).into_iter().map(|text| Shown::unchecked(text)));
    let drafts = requester.drafts(id).into_iter().zip(requester.draft_files(id));
    messages.extend(drafts.map(|(text, file)| Shown::draft_with(Author::Requester, text, file, &files)));
    let warnings = warnings(requester, tools, id);
    let id = ("conversation", Some(id));
    Ok(Conversation { id, reader: Author::Requester, now, messages, warnings })
}

/// Whoever looks before she has asked finds nothing, and that is no failure.
fn nothing_yet(tools: &Tools) -> Conversation {
    let (id, reader) = (("conversation", None), Author::Requester);
    Conversation { id, reader, now: tools.now(), messages: Vec::new(), warnings: Vec::new() }
}

/// Runs until the texts of a conversation are stored, or nothing will store them before the person does something.
async fn send(
    requester: &mut Requester,
    tools: &mut Tools,
    id: LocalId,
    is_request: bool,
) -> Result<Sent, Failure> {
    tools.pursue(requester, |requester| is_stored(requester, id) || is_blocked(requester, id)).await?;
    let warnings = warnings(requester, tools, id);
    Ok(Sent { conversation: id, is_stored: is_stored(requester, id), is_request, warnings })
}

fn is_stored(requester: &Requester, id: LocalId) -> bool {
    let all_stored = requester.sent(id).iter().all(|(_, state)| *state != SentState::Queued);
    all_stored && requester.drafts(id).is_empty()
}

fn is_blocked(requester: &Requester, id: LocalId) -> bool {
    let blocks =
        |warning| matches!(warning, requester::Warning::ClockOff { .. } | requester::Warning::Stopped(_));
    requester.warnings(id, time::now()).into_iter().any(blocks)
}

/// The conversation that is meant: the named one, or the only one.
pub fn chosen(requester: &Requester, to: Option<&str>) -> Result<LocalId, Failure> {
    let known: Vec<LocalId> = requester.conversations().iter().map(|conversation| conversation.id).collect();
    match (to, &known[..]) {
        (Some(text), known) => named(text, known).ok_or(Failure::ConversationUnknown),
        (None, []) => Err(Failure::ConversationNone),
        (None, [only]) => Ok(*only),
        (None, several) => {
            let ids: Vec<String> = several.iter().map(LocalId::to_string).collect();
            Err(Failure::ConversationUnnamed { ids: ids.join(" ") })
        }
    }
}

/// What the person should know about a conversation.
pub fn warnings(requester: &Requester, tools: &Tools, id: LocalId) -> Vec<Warning> {
    let known = requester.warnings(id, tools.now()).into_iter().map(Warning::from);
    known.chain(tools.unreached()).collect()
}

/// The full stop behind which a conversation can't go on.
fn stop(requester: &Requester, id: LocalId) -> Option<Failure> {
    let stopped = |warning| match warning {
        requester::Warning::Stopped(Stop::Fork) => Some(Failure::Fork),
        requester::Warning::Stopped(Stop::Rollback) => Some(Failure::Rollback),
        _ => None,
    };
    requester.warnings(id, time::now()).into_iter().find_map(stopped)
}

fn refusal(requester: &Requester, id: LocalId, error: SayError) -> Failure {
    match error {
        SayError::Stopped => stop(requester, id).unwrap_or(Failure::Fork),
        other => other.into(),
    }
}

impl From<CardError> for Failure {
    fn from(error: CardError) -> Self {
        match error {
            CardError::Version { .. } => Self::CardNewer,
            _ => Self::CardInvalid,
        }
    }
}

impl From<SayError> for Failure {
    fn from(error: SayError) -> Self {
        match error {
            SayError::Closed => Self::ConversationClosed,
            SayError::Empty => Self::TextEmpty,
            SayError::FileRoom => Self::FileRoom,
            SayError::Stopped => Self::Fork,
            SayError::TooLong { .. } => Self::TextTooLong,
            SayError::Unknown => Self::ConversationUnknown,
        }
    }
}
