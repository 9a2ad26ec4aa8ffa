//! A conversation as it is shown: by `inbox` to a requester, by `read` to a volunteer (docs/cli.md §3).

use poterne_client_core::files::FileId;
use poterne_client_core::records::LocalId;
use poterne_client_core::transcript::{Author, Content, Message, Position, SentState};
use poterne_protocol::time::UnixTime;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::commands::attachments::ShownFile;
use crate::commands::warning::{self, Warning};
use crate::output::{Answer, indented};
use crate::texts::Texts;
use crate::time::ago;

/// All messages of a conversation or case, oldest first, as one side sees it.
pub struct Conversation {
    /// Its id, under the name that the role has for it; none while there is no conversation.
    pub id: (&'static str, Option<LocalId>),
    /// Who looks at it.
    pub reader: Author,
    /// When.
    pub now: UnixTime,
    /// What was said.
    pub messages: Vec<Shown>,
    /// What the reader should know.
    pub warnings: Vec<Warning>,
}

/// One message.
pub struct Shown {
    author: Author,
    /// When it was written (own) or opened here; none while it is neither sealed nor checked.
    at: Option<UnixTime>,
    body: Body,
    files: Vec<ShownFile>,
    state: Option<SentState>,
    is_checked: bool,
    is_whole: bool,
}

enum Body {
    Newer(u8),
    Text(Zeroizing<String>),
}

impl Shown {
    /// The messages of a transcript; own ones with how far they have come. A file belongs to the text before it.
    pub fn all(
        messages: &[Message],
        reader: Author,
        sent: &[(Position, SentState)],
        files: &[ShownFile],
    ) -> Vec<Self> {
        let state = |message: &Message| {
            let known = sent.iter().find(|(position, _)| *position == message.position);
            known.map(|(_, state)| *state).filter(|_| message.author == reader)
        };
        let mut all: Vec<Self> = Vec::new();
        for message in messages {
            let (shown, last) = (Self::new(message, state(message), files), all.last_mut());
            match last.filter(|last| last.author == message.author && !shown.files.is_empty()) {
                Some(last) => last.add_file(shown),
                None => all.push(shown),
            }
        }
        all
    }

    fn new(message: &Message, state: Option<SentState>, files: &[ShownFile]) -> Self {
        let (body, file) = match &message.content {
            Content::Text(text) => (Body::Text(Zeroizing::new(text.clone())), None),
            Content::Newer { kind, .. } => (Body::Newer(*kind), None),
            Content::File { file, .. } => (Body::Text(Zeroizing::default()), Some(FileId(*file))),
        };
        let files = files.iter().filter(|shown| file.is_some_and(|file| shown.is(file))).cloned().collect();
        let (author, at) = (message.author, Some(message.at));
        Self { author, at, body, files, state, is_checked: true, is_whole: true }
    }

    /// A message has come as far as the last of its parts.
    fn add_file(&mut self, file: Self) {
        self.files.extend(file.files);
        let states = [self.state, file.state].into_iter().flatten();
        // What has expired is further than nothing, and no further.
        self.state =
            states.min_by_key(|state| (*state != SentState::Queued, *state != SentState::Expired, *state));
    }

    /// An own text that waits to be sealed.
    pub fn draft(author: Author, text: &str) -> Self {
        let body = Body::Text(Zeroizing::new(text.to_owned()));
        let (state, files) = (Some(SentState::Queued), Vec::new());
        Self { author, at: None, body, files, state, is_checked: true, is_whole: true }
    }

    /// The same, with what goes with it.
    pub fn draft_with(author: Author, text: &str, file: Option<FileId>, files: &[ShownFile]) -> Self {
        let files = files.iter().filter(|shown| file.is_some_and(|file| shown.is(file))).cloned().collect();
        Self { files, ..Self::draft(author, text) }
    }

    /// The beginning of a request whose rest has not come yet.
    pub fn beginning(text: &str) -> Self {
        Self { state: None, is_whole: false, ..Self::draft(Author::Requester, text) }
    }

    /// The text of an answer whose writer could not be checked yet.
    pub fn unchecked(text: &str) -> Self {
        Self { state: None, is_checked: false, ..Self::draft(Author::Volunteer, text) }
    }

    fn json(&self) -> Value {
        let from = match self.author {
            Author::Requester => "requester",
            Author::Volunteer => "volunteer",
        };
        let mut json = match &self.body {
            Body::Newer(kind) => json!({"from": from, "text": null, "newer_kind": kind}),
            Body::Text(text) => json!({"from": from, "text": text.as_str()}),
        };
        if let Some(at) = self.at {
            json["at"] = json!(at.0);
        }
        if !self.files.is_empty() {
            json["attachments"] = self.files.iter().map(ShownFile::json).collect();
        }
        if !self.is_checked {
            json["checked"] = json!(false);
        }
        if !self.is_whole {
            json["complete"] = json!(false);
        }
        json
    }

    fn sent_json(&self) -> Option<Value> {
        let state = code(self.state?);
        let Body::Text(text) = &self.body else { return None };
        let mut json = json!({"text": text.as_str(), "state": state});
        if !self.files.is_empty() {
            json["attachments"] = self.files.iter().map(ShownFile::json).collect();
        }
        Some(json)
    }

    /// A heading and the text: who, when, and how far it has come.
    fn people(&self, reader: Author, now: UnixTime, texts: &Texts) -> String {
        let who = match self.author {
            author if author == reader => texts.say("from-you"),
            Author::Requester => texts.say("from-requester"),
            Author::Volunteer => texts.say("from-volunteer"),
        };
        let when = self.at.map(|at| ago(at, now, texts));
        let state = self.state.map(|state| in_words(state, texts));
        let unchecked = (!self.is_checked).then(|| texts.say("message-unchecked"));
        let heading: Vec<String> = [Some(who), when, state, unchecked].into_iter().flatten().collect();
        let text = match &self.body {
            Body::Newer(_) => texts.say("message-newer"),
            Body::Text(text) => text.to_string(),
        };
        let rest = if self.is_whole { String::new() } else { indented(&texts.say("request-incomplete")) };
        let files: String = self.files.iter().map(|file| indented(&file.people(texts))).collect();
        format!("{}\n{}{rest}{files}\n", heading.join(" · "), indented(&text))
    }
}

/// The code of a state, for scripts.
pub fn code(state: SentState) -> &'static str {
    match state {
        SentState::Queued => "queued",
        SentState::Stored => "stored",
        SentState::Claimed => "claimed",
        SentState::Answered => "answered",
        SentState::Read => "read",
        SentState::Expired => "expired",
    }
}

/// A state, for people.
pub fn in_words(state: SentState, texts: &Texts) -> String {
    match state {
        SentState::Queued => texts.say("state-queued"),
        SentState::Stored => texts.say("state-stored"),
        SentState::Claimed => texts.say("state-claimed"),
        SentState::Answered => texts.say("state-answered"),
        SentState::Read => texts.say("state-read"),
        SentState::Expired => texts.say("state-expired"),
    }
}

impl Answer for Conversation {
    fn json(&self) -> Value {
        let messages: Vec<Value> = self.messages.iter().map(Shown::json).collect();
        let sent: Vec<Value> = self.messages.iter().filter_map(Shown::sent_json).collect();
        let mut answer =
            json!({"messages": messages, "sent": sent, "warnings": warning::codes(&self.warnings)});
        answer[self.id.0] = json!(self.id.1.map(|id| id.to_string()));
        answer
    }

    fn people(&self, texts: &Texts) -> String {
        let messages = self.messages.iter().map(|message| message.people(self.reader, self.now, texts));
        let mut all: String = messages.collect();
        if all.is_empty() {
            all = format!("{}\n", texts.say("no-messages"));
        }
        all + &warning::in_words(&self.warnings, texts)
    }
}
