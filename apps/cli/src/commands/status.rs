//! `status`: what a home holds, what is on its way, and how the relays are (docs/cli.md §3.3).

use poterne_client_core::device::{CaseSummary, Device, Stage};
use poterne_client_core::effect::Machine;
use poterne_client_core::requester::{Requester, Standing, Summary};
use poterne_client_core::transcript::SentState;
use serde_json::{Value, json};

use crate::commands::conversation;
use crate::commands::warning::{self, Warning};
use crate::commands::{desk, talk};
use crate::failure::Failure;
use crate::output::Answer;
use crate::session::{Session, Tools};
use crate::texts::Texts;

/// How a home stands.
pub struct Status {
    held: Held,
    relays: Vec<Relay>,
    warnings: Vec<Warning>,
}

/// What it holds.
enum Held {
    Desk { cases: Vec<Line>, waiting: usize, days_published: Option<u32> },
    Requester { conversations: Vec<Line> },
}

/// A conversation or a case.
struct Line {
    id: String,
    standing: &'static str,
    newest: Option<SentState>,
}

struct Relay {
    address: String,
    is_reached: bool,
}

/// Sends and fetches once, and tells how everything stands.
pub async fn status(session: &mut Session) -> Result<Status, Failure> {
    if session.is_desk() {
        let (device, tools) = session.desk()?;
        tools.look(device).await?;
        of_desk(device, tools)
    } else {
        let (requester, tools) = session.requester()?;
        tools.look(requester).await?;
        Ok(of_requester(requester, tools))
    }
}

fn of_desk(device: &Device, tools: &Tools) -> Result<Status, Failure> {
    let held = Held::Desk {
        cases: device.cases().into_iter().map(Line::from).collect(),
        waiting: device.queue(&tools.vault)?.len(),
        days_published: device.days_published(tools.now().day()),
    };
    Ok(Status { held, relays: relays(device, tools), warnings: desk::warnings(device, tools) })
}

fn of_requester(requester: &Requester, tools: &Tools) -> Status {
    let conversations = requester.conversations();
    let warnings =
        conversations.iter().flat_map(|conversation| talk::warnings(requester, tools, conversation.id));
    let mut warnings: Vec<Warning> = warnings.collect();
    warnings.sort_unstable();
    warnings.dedup();
    let held = Held::Requester { conversations: conversations.into_iter().map(Line::from).collect() };
    Status { held, relays: relays(requester, tools), warnings }
}

impl From<CaseSummary> for Line {
    fn from(case: CaseSummary) -> Self {
        let standing = match case.stage {
            Stage::Adopting | Stage::Claimed => "claimed",
            Stage::Closed => "closed",
            Stage::Gone => "gone",
            Stage::Stopped => "stopped",
            Stage::Talking => "open",
            Stage::Waiting => "waiting",
        };
        let newest = if case.drafts > 0 { Some(SentState::Queued) } else { case.newest };
        Self { id: case.id.to_string(), standing, newest }
    }
}

impl From<Summary> for Line {
    fn from(conversation: Summary) -> Self {
        let standing = match conversation.standing {
            Standing::Closed => "closed",
            Standing::Open => "open",
            Standing::Stopped(_) => "stopped",
        };
        Self { id: conversation.id.to_string(), standing, newest: Some(conversation.newest) }
    }
}

fn relays(machine: &impl Machine, tools: &Tools) -> Vec<Relay> {
    let relay = |(pin, is_reached)| {
        let address = machine.addresses(pin).into_iter().next().unwrap_or_default();
        Relay { address, is_reached }
    };
    tools.heard().map(relay).collect()
}

impl Answer for Status {
    fn json(&self) -> Value {
        let mut answer = match &self.held {
            Held::Desk { cases, waiting, days_published } => {
                let cases: Vec<Value> = cases.iter().map(|line| line.json("case")).collect();
                json!({"role": "desk", "cases": cases, "waiting": waiting, "days_published": days_published})
            }
            Held::Requester { conversations } => {
                let conversations: Vec<Value> =
                    conversations.iter().map(|line| line.json("conversation")).collect();
                json!({"role": "requester", "conversations": conversations})
            }
        };
        answer["relays"] = self.relays.iter().map(Relay::json).collect();
        answer["clock_off_secs"] = json!(warning::clock_off_secs(&self.warnings));
        answer["warnings"] = warning::codes(&self.warnings);
        answer
    }

    fn people(&self, texts: &Texts) -> String {
        let mut lines = match &self.held {
            Held::Desk { cases, waiting, .. } => desk_lines(cases, *waiting, texts),
            Held::Requester { conversations } => requester_lines(conversations, texts),
        };
        if !self.relays.is_empty() {
            lines.push(texts.say("status-relays"));
            lines.extend(self.relays.iter().map(|relay| relay.people(texts)));
        }
        format!("{}\n{}", lines.join("\n"), warning::in_words(&self.warnings, texts))
    }
}

fn desk_lines(cases: &[Line], waiting: usize, texts: &Texts) -> Vec<String> {
    let mut lines = vec![texts.with("status-waiting", &fluent::fluent_args!["count" => waiting])];
    lines.push(if cases.is_empty() { texts.say("status-no-cases") } else { texts.say("status-cases") });
    lines.extend(cases.iter().map(|case| case.people(texts)));
    lines
}

fn requester_lines(conversations: &[Line], texts: &Texts) -> Vec<String> {
    let is_empty = conversations.is_empty();
    let heading =
        if is_empty { texts.say("status-no-conversations") } else { texts.say("status-conversations") };
    let lines = conversations.iter().map(|conversation| conversation.people(texts));
    std::iter::once(heading).chain(lines).collect()
}

impl Line {
    fn json(&self, name: &str) -> Value {
        let mut json = json!({"standing": self.standing, "newest": self.newest.map(conversation::code)});
        json[name] = json!(self.id);
        json
    }

    fn people(&self, texts: &Texts) -> String {
        let standing = match self.standing {
            "claimed" => Some(texts.say("standing-claimed")),
            "closed" => Some(texts.say("standing-closed")),
            "stopped" => Some(texts.say("standing-stopped")),
            _ => None,
        };
        let newest = self.newest.map(|state| conversation::in_words(state, texts));
        let parts: Vec<String> = [Some(self.id.clone()), standing, newest].into_iter().flatten().collect();
        format!("  {}", parts.join(" · "))
    }
}

impl Relay {
    fn json(&self) -> Value {
        json!({"address": self.address, "reached": self.is_reached})
    }

    fn people(&self, texts: &Texts) -> String {
        let name = if self.is_reached { texts.say("relay-reached") } else { texts.say("relay-unreached") };
        format!("  {} · {name}", self.address)
    }
}
