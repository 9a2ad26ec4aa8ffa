//! What a volunteer does: `desk create`, `desk card`, `queue`, `claim`, `release`, `read`, `reply`, `close`
//! (docs/cli.md §3.2).

use std::io::{self, IsTerminal as _};
use std::path::Path;

use fluent::fluent_args;
use poterne_client_core::device::{
    CreateError, Device, DeviceError, Outcome, PUBLISHED_AHEAD_DAYS, QueueItem, Stage, Ticket,
};
use poterne_client_core::files::Letter;
use poterne_client_core::records::LocalId;
use poterne_client_core::transcript::{self, Author};
use poterne_protocol::address::RelayAddress;
use poterne_protocol::time::UnixTime;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::commands::attachments;
use crate::commands::conversation::{Conversation, Shown};
use crate::commands::warning::{self, Warning};
use crate::commands::{language_text, named};
use crate::failure::Failure;
use crate::output::{Answer, indented};
use crate::qr;
use crate::session::{Session, Tools};
use crate::texts::Texts;
use crate::time;

/// Bytes of a desk's name at most.
const NAME_BYTES_MAX: usize = 64;

/// A desk's card.
pub struct ShownCard {
    link: Zeroizing<String>,
    is_open: bool,
    warnings: Vec<Warning>,
}

/// Makes a desk in this home and opens it at its relays.
pub async fn create(session: &mut Session, name: &str, relays: &[String]) -> Result<ShownCard, Failure> {
    check_name(name)?;
    let parsed = relays.iter().map(|relay| relay.parse::<RelayAddress>());
    let relays = parsed.collect::<Result<Vec<_>, _>>().map_err(|_| Failure::RelayInvalid)?;
    let (device, tools) = session.found_desk(|rng| Ok(Device::create(name, &relays, time::now(), rng)?))?;
    let today = tools.now().day();
    tools.pursue(device, |device| device.days_published(today) == Some(PUBLISHED_AHEAD_DAYS + 1)).await?;
    shown_card(device, tools)
}

fn check_name(name: &str) -> Result<(), Failure> {
    let is_name = !name.trim().is_empty() && name.len() <= NAME_BYTES_MAX && !name.contains(char::is_control);
    if is_name { Ok(()) } else { Err(Failure::DeskNameInvalid) }
}

/// Shows the card of this home's desk, without asking anybody.
pub fn card(session: &mut Session) -> Result<ShownCard, Failure> {
    let (device, tools) = session.desk()?;
    shown_card(device, tools)
}

fn shown_card(device: &Device, tools: &Tools) -> Result<ShownCard, Failure> {
    let link = device.card().ok_or(Failure::CardElsewhere)?.expose_link();
    let is_open = device.days_published(tools.now().day()).is_some_and(|days| days > 0);
    Ok(ShownCard { link, is_open, warnings: warnings(device, tools) })
}

/// What the people of the desk should know.
pub fn warnings(device: &Device, tools: &Tools) -> Vec<Warning> {
    let known = device.warnings(tools.now()).into_iter().map(Warning::from);
    known.chain(tools.unreached()).collect()
}

impl Answer for ShownCard {
    fn json(&self) -> Value {
        let state = if self.is_open { "open" } else { "queued" };
        json!({"card": self.link.as_str(), "state": state, "warnings": warning::codes(&self.warnings)})
    }

    fn people(&self, texts: &Texts) -> String {
        let heading = if self.is_open { texts.say("desk-open") } else { texts.say("desk-waits") };
        // A code that is too large for QR is still there as a link.
        let code = qr::draw(&self.link, io::stdout().is_terminal()).unwrap_or_default();
        let warnings = warning::in_words(&self.warnings, texts);
        format!("{heading}\n\n{}\n\n{code}\n{}\n{warnings}", self.link.as_str(), texts.say("card-hint"))
    }
}

/// The requests that wait.
pub struct Queue {
    items: Vec<QueueItem>,
    now: UnixTime,
    warnings: Vec<Warning>,
}

/// Fetches and shows the requests that wait.
pub async fn queue(session: &mut Session) -> Result<Queue, Failure> {
    let (device, tools) = session.desk()?;
    tools.look(device).await?;
    Ok(Queue { items: device.queue(&tools.vault)?, now: tools.now(), warnings: warnings(device, tools) })
}

impl Answer for Queue {
    fn json(&self) -> Value {
        let item = |item: &QueueItem| {
            json!({
                "id": item.id.to_string(),
                "text": item.text.as_str(),
                "complete": item.complete,
                "language": language_text(item.language),
                "age_secs": self.now.since(item.arrived),
                "needs_newer": item.wants_newer,
            })
        };
        self.items.iter().map(item).collect()
    }

    fn people(&self, texts: &Texts) -> String {
        let item = |item: &QueueItem| {
            let (language, age) = (language_text(item.language), time::ago(item.arrived, self.now, texts));
            let text = request_text(item, texts);
            format!("{} · {language} · {age}\n{}\n", item.id, indented(&text))
        };
        let items: String = self.items.iter().map(item).collect();
        let hint = if items.is_empty() { texts.say("queue-none") } else { texts.say("queue-hint") };
        format!("{items}{hint}\n{}", warning::in_words(&self.warnings, texts))
    }
}

fn request_text(item: &QueueItem, texts: &Texts) -> String {
    let rest = (!item.complete).then(|| texts.say("request-incomplete"));
    let newer = item.wants_newer.then(|| texts.say("request-newer"));
    let parts: Vec<String> = [Some(item.text.to_string()), rest, newer].into_iter().flatten().collect();
    parts.join("\n")
}

/// A request that is this device's for a while.
pub struct Claimed {
    case: LocalId,
    text: Zeroizing<String>,
    secs_left: u64,
}

/// Takes the request of that id, or the oldest.
pub async fn claim(session: &mut Session, id: Option<&str>) -> Result<Claimed, Failure> {
    let (device, tools) = session.desk()?;
    let id = match id {
        Some(named) => Some(request_id(device, tools, named).await?),
        None => None,
    };
    let now = tools.now();
    let ticket = device.claim(id, now, tools.rng());
    let outcome = outcome(device, tools, ticket).await.map_err(about_request)?;
    let Some(Outcome::Claimed(case)) = outcome else { return Err(Failure::RelayUnreachable) };
    let text = device.request_text(case, &tools.vault)?.unwrap_or_default();
    let ends = device.case(case).and_then(|case| case.lease_ends);
    Ok(Claimed { case, text, secs_left: ends.map_or(0, |ends| ends.since(tools.now())) })
}

/// Runs until a ticket has its outcome; `None` when the relays did not answer in time.
async fn outcome(device: &mut Device, tools: &mut Tools, ticket: Ticket) -> Result<Option<Outcome>, Failure> {
    let mut outcome = None;
    let ended = |device: &mut Device| {
        outcome = outcome.or_else(|| device.outcome(ticket));
        outcome.is_some()
    };
    tools.pursue(device, ended).await?;
    Ok(outcome.transpose()?)
}

/// What is claimed is called a request, not yet a case.
fn about_request(failure: Failure) -> Failure {
    if failure == Failure::CaseUnknown { Failure::RequestUnknown } else { failure }
}

impl Answer for Claimed {
    fn json(&self) -> Value {
        json!({"case": self.case.to_string(), "text": self.text.as_str(), "secs_left": self.secs_left})
    }

    fn people(&self, texts: &Texts) -> String {
        let time = time::length(self.secs_left, texts);
        let hint = texts.with("claimed", &fluent_args!["case" => self.case.to_string(), "time" => time]);
        format!("{}\n{hint}\n", indented(&self.text))
    }
}

/// What became of a case.
pub struct Done {
    case: LocalId,
    /// For scripts.
    state: &'static str,
    /// The name of the text for people.
    told: &'static str,
    warnings: Vec<Warning>,
}

impl Answer for Done {
    fn json(&self) -> Value {
        json!({"case": self.case.to_string(), "state": self.state, "warnings": warning::codes(&self.warnings)})
    }

    fn people(&self, texts: &Texts) -> String {
        format!("{}\n{}", texts.say(self.told), warning::in_words(&self.warnings, texts))
    }
}

/// Gives a request back to the queue.
pub async fn release(session: &mut Session, case: &str) -> Result<Done, Failure> {
    let (device, tools) = session.desk()?;
    let (case, now) = (case_id(device, case)?, tools.now());
    let ticket = device.release(case, now, tools.rng());
    match outcome(device, tools, ticket).await? {
        Some(_) => Ok(done(tools, case, "released", "released")),
        None => Err(Failure::RelayUnreachable),
    }
}

/// Answers in a case.
pub async fn reply(session: &mut Session, case: &str, letter: Letter<'_>) -> Result<Done, Failure> {
    let (device, tools) = session.desk()?;
    let (case, now) = (case_id(device, case)?, tools.now());
    let ticket = device.reply(case, letter, now, tools.rng());
    let outcome = outcome(device, tools, ticket).await;
    if is_stopped(device, case) {
        return Err(Failure::CaseStopped);
    }
    match outcome? {
        Some(_) => Ok(done(tools, case, "stored", "say-stored")),
        None => Ok(done(tools, case, "queued", "say-queued")),
    }
}

/// Closes a case.
pub async fn close(session: &mut Session, case: &str) -> Result<Done, Failure> {
    let (device, tools) = session.desk()?;
    let (case, now) = (case_id(device, case)?, tools.now());
    let ticket = device.close(case, now, tools.rng());
    let outcome = outcome(device, tools, ticket).await?;
    match device.case(case).map(|case| case.stage) {
        _ if outcome.is_some() => Ok(done(tools, case, "closed", "closed")),
        Some(Stage::Closed) => Ok(done(tools, case, "queued", "closed-queued")),
        _ => Err(Failure::RelayUnreachable),
    }
}

/// Fetches what is new in a case and shows all of it. Files go into the folder, if one is named.
pub async fn read(session: &mut Session, case: &str, folder: Option<&Path>) -> Result<Conversation, Failure> {
    let (device, tools) = session.desk()?;
    let case = case_id(device, case)?;
    tools.look(device).await?;
    let files = attachments::shown(device, &tools.vault, case, folder);
    tools.keep(device)?;
    let files = files?;
    let (transcript, sent) = (transcript::read(&tools.vault, case)?, device.sent(case));
    let mut messages = Shown::all(&transcript, Author::Volunteer, &sent, &files);
    if messages.is_empty() {
        messages.extend(device.request_text(case, &tools.vault)?.map(|text| Shown::beginning(&text)));
    }
    let drafts = device.drafts(case).into_iter().zip(device.draft_files(case));
    messages.extend(drafts.map(|(text, file)| Shown::draft_with(Author::Volunteer, text, file, &files)));
    let mut warnings = warnings(device, tools);
    warnings.extend(is_stopped(device, case).then_some(Warning::CaseStopped));
    warnings.extend(device.misses_messages(case).then_some(Warning::Missing));
    let id = ("case", Some(case));
    Ok(Conversation { id, reader: Author::Volunteer, now: tools.now(), messages, warnings })
}

/// A full stop: the keys of the case live twice.
fn is_stopped(device: &Device, case: LocalId) -> bool {
    device.case(case).is_some_and(|case| case.stage == Stage::Stopped)
}

/// The case of that id, or of an id that begins so.
pub fn case_id(device: &Device, text: &str) -> Result<LocalId, Failure> {
    let known: Vec<LocalId> = device.cases().iter().map(|case| case.id).collect();
    // A request that waits has an id too, and the device says what is amiss with it.
    let id = named(text, &known).or_else(|| LocalId::parse(text));
    id.filter(|id| device.case(*id).is_some()).ok_or(Failure::CaseUnknown)
}

/// The request of that id; one that is not known yet may be at a relay.
async fn request_id(device: &mut Device, tools: &mut Tools, text: &str) -> Result<LocalId, Failure> {
    if let Some(known) = known_request(device, tools, text)? {
        return Ok(known);
    }
    tools.look(device).await?;
    known_request(device, tools, text)?.ok_or(Failure::RequestUnknown)
}

fn known_request(device: &Device, tools: &Tools, text: &str) -> Result<Option<LocalId>, Failure> {
    let mut known: Vec<LocalId> = device.queue(&tools.vault)?.iter().map(|item| item.id).collect();
    known.extend(device.cases().iter().map(|case| case.id));
    Ok(named(text, &known))
}

fn done(tools: &Tools, case: LocalId, state: &'static str, told: &'static str) -> Done {
    Done { case, state, told, warnings: tools.unreached() }
}

impl From<CreateError> for Failure {
    fn from(error: CreateError) -> Self {
        match error {
            CreateError::Relays => Self::RelayInvalid,
        }
    }
}

impl From<DeviceError> for Failure {
    fn from(error: DeviceError) -> Self {
        match error {
            DeviceError::FileRoom => Self::FileRoom,
            DeviceError::NoGrant => Self::DeskSilent,
            DeviceError::NotClaimed => Self::CaseUnclaimed,
            DeviceError::NothingWaits => Self::QueueEmpty,
            DeviceError::Over => Self::CaseClosed,
            DeviceError::Taken => Self::RequestTaken,
            DeviceError::Text => Self::TextTooLong,
            DeviceError::Unanswered => Self::Unanswered,
            DeviceError::Unknown => Self::CaseUnknown,
        }
    }
}
