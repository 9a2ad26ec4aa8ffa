//! `cover`: a message that says nothing (docs/cli.md §3.3, docs/spec/client.md §9).

use poterne_client_core::cover::{CoverError, PollShape};
use serde_json::{Value, json};

use crate::commands::warning::{self, Warning};
use crate::commands::{desk, talk};
use crate::failure::Failure;
use crate::output::Answer;
use crate::session::Session;
use crate::texts::Texts;

/// A message that says nothing, and how far it has come.
pub struct Covered {
    is_stored: bool,
    warnings: Vec<Warning>,
}

/// Sends a message that says nothing in a conversation or case.
pub async fn cover(session: &mut Session, id: Option<&str>) -> Result<Covered, Failure> {
    if session.is_desk() { cover_case(session, id).await } else { cover_conversation(session, id).await }
}

async fn cover_conversation(session: &mut Session, id: Option<&str>) -> Result<Covered, Failure> {
    let (requester, tools) = session.requester()?;
    let (id, now) = (talk::chosen(requester, id)?, tools.now());
    requester.set_poll_shape(PollShape::Constant);
    requester.cover(id, now, tools.rng())?;
    tools.pursue(requester, |requester| requester.is_settled(id)).await?;
    let warnings = talk::warnings(requester, tools, id);
    let is_stored = requester.is_settled(id);
    requester.set_poll_shape(PollShape::Needed);
    Ok(Covered { is_stored, warnings })
}

async fn cover_case(session: &mut Session, id: Option<&str>) -> Result<Covered, Failure> {
    let (device, tools) = session.desk()?;
    let (case, now) = (desk::case_id(device, id.ok_or(Failure::CaseUnknown)?)?, tools.now());
    device.cover(case, now, tools.rng())?;
    tools.pursue(device, |device| device.is_settled(case)).await?;
    Ok(Covered { is_stored: device.is_settled(case), warnings: desk::warnings(device, tools) })
}

impl Answer for Covered {
    fn json(&self) -> Value {
        let state = if self.is_stored { "stored" } else { "queued" };
        json!({"state": state, "warnings": warning::codes(&self.warnings)})
    }

    fn people(&self, texts: &Texts) -> String {
        let told = if self.is_stored { texts.say("cover-stored") } else { texts.say("say-queued") };
        format!("{told}\n{}", warning::in_words(&self.warnings, texts))
    }
}

impl From<CoverError> for Failure {
    fn from(error: CoverError) -> Self {
        match error {
            CoverError::NotOpen => Self::CoverTooEarly,
            CoverError::Unanswered => Self::Unanswered,
            CoverError::Unknown => Self::ConversationUnknown,
        }
    }
}
