//! Who wanted to say what, and whose home shows what: the books of all conversations, and their plain model.
//!
//! A requester's texts all carry her name, so that a device's case tells whose it is. What must hold in the end:
//!
//! - her home shows each of her texts once, in the order in which she wrote them;
//! - exactly one case of all devices is her conversation: it shows all her texts, once and in order, and its own texts
//!   are those that her home shows, once and in order;
//! - every text that a volunteer wrote in that case has come.

use std::collections::BTreeMap;

use poterne_client_core::transcript::Author;

/// What a home shows of one conversation, oldest first.
pub type Shown = Vec<(Author, String)>;

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
        let answers = texts(shown, Author::Volunteer);
        let cases = self.cases_of(name);
        let is_hers = |case: &&Shown| {
            texts(case, Author::Requester) == own
                && texts(case, Author::Volunteer) == answers
                && !answers.is_empty()
        };
        match cases.iter().filter(|(_, case)| is_hers(case)).count() {
            1 => None,
            count => Some(format!(
                "{name}: {count} conversations; she wrote {} and got {}; cases: {}",
                brief(&own),
                brief(&answers),
                cases.iter().map(|(at, case)| describe(at, case)).collect::<Vec<_>>().join("; ")
            )),
        }
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
pub fn texts(shown: &[(Author, String)], author: Author) -> Vec<&String> {
    shown.iter().filter(|(by, _)| *by == author).map(|(_, text)| text).collect()
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
