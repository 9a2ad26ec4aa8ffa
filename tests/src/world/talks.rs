//! Who wanted to say what, and whose home shows what: the books of all conversations, and their plain model.
//!
//! A requester's texts all carry her name, so that a device's case tells whose it is. What must hold in the end:
//!
//! - her home shows each of her texts once, in the order in which she wrote them;
//! - exactly one case of all devices is her conversation: it shows all her texts, once and in order, and its own texts
//!   are those that her home shows in its newest thread, once and in order;
//! - before it there may have been others, each replaced before she had sent anything in it: what her home shows of such
//!   a thread are the first texts of another case, once and in order.

use std::collections::BTreeMap;

use poterne_client_core::transcript::Author;

/// One text that a home shows.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Line {
    /// Which beginning of the conversation it belongs to.
    pub thread: u16,
    /// Who wrote it.
    pub author: Author,
    /// What it says.
    pub text: String,
}

/// What a home shows of one conversation, oldest first.
pub type Shown = Vec<Line>;

/// The books of a world's conversations.
#[derive(Debug, Default)]
pub struct Talks {
    /// What each requester wants to say, by her name.
    pub wanted: BTreeMap<String, Vec<String>>,
    /// What each requester's home shows.
    pub hers: BTreeMap<String, Shown>,
    /// What each device's home shows of each of its cases, by device and case.
    pub theirs: BTreeMap<(usize, String), Shown>,
    /// What must never happen, as it happened.
    pub alarms: Vec<String>,
}

impl Talks {
    /// How many texts of volunteers have reached requesters.
    pub fn answers(&self) -> usize {
        self.hers.values().map(|shown| texts(shown, Author::Volunteer).len()).sum()
    }

    /// All that is not as it should be at the end.
    pub fn complaints(&self) -> Vec<String> {
        let of_her = |(name, wanted): (&String, &Vec<String>)| self.complaint(name, wanted);
        self.alarms.iter().cloned().chain(self.wanted.iter().filter_map(of_her)).collect()
    }

    fn complaint(&self, name: &str, wanted: &[String]) -> Option<String> {
        let shown = self.hers.get(name).map_or(&[][..], Vec::as_slice);
        let own = texts(shown, Author::Requester);
        if own != wanted.iter().collect::<Vec<_>>() {
            return Some(format!("{name} wrote {} texts, her home shows {}", wanted.len(), brief(&own)));
        }
        let cases = self.cases_of(name);
        let newest = shown.iter().map(|line| line.thread).max().unwrap_or(0);
        let answers = of_thread(shown, newest);
        let is_hers = |case: &Shown| {
            texts(case, Author::Requester) == own
                && texts(case, Author::Volunteer) == answers
                && !answers.is_empty()
        };
        let earlier = (0..newest).map(|thread| of_thread(shown, thread));
        let is_known = |answers: &[&String]| {
            cases.iter().any(|(_, case)| texts(case, Author::Volunteer).starts_with(answers))
        };
        let count = cases.iter().filter(|(_, case)| is_hers(case)).count();
        if count == 1 && earlier.into_iter().all(|answers| is_known(&answers)) {
            return None;
        }
        Some(format!(
            "{name}: {count} conversations; she wrote {} and got {} at last; cases: {}",
            brief(&own),
            brief(&answers),
            cases.iter().map(|(at, case)| describe(at, case)).collect::<Vec<_>>().join("; ")
        ))
    }

    /// All cases that begin with a text of hers.
    fn cases_of(&self, name: &str) -> Vec<(&(usize, String), &Shown)> {
        let tag = format!("{name}:");
        let is_of =
            |case: &Shown| texts(case, Author::Requester).first().is_some_and(|text| text.starts_with(&tag));
        self.theirs.iter().filter(|(_, case)| is_of(case)).collect()
    }
}

/// The texts of one side.
fn texts(shown: &[Line], author: Author) -> Vec<&String> {
    shown.iter().filter(|line| line.author == author).map(|line| &line.text).collect()
}

/// The volunteer's texts of one thread.
fn of_thread(shown: &[Line], thread: u16) -> Vec<&String> {
    let is_of = |line: &&Line| line.author == Author::Volunteer && line.thread == thread;
    shown.iter().filter(is_of).map(|line| &line.text).collect()
}

fn describe((device, case): &(usize, String), shown: &Shown) -> String {
    let (asked, answered) = (texts(shown, Author::Requester), texts(shown, Author::Volunteer));
    format!("device {device} case {case} has {} and wrote {}", brief(&asked), brief(&answered))
}

/// The names of texts, which stand at their beginnings.
fn brief(texts: &[&String]) -> String {
    let name = |text: &&String| text.split(' ').next().unwrap_or_default().to_owned();
    format!("[{}]", texts.iter().map(name).collect::<Vec<_>>().join(" "))
}
