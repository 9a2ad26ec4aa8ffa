//! The people of a world: who uses the real machines, and what they want.

mod asker;

pub use asker::Asker;

use poterne_client_core::records::LocalId;
use poterne_client_core::transcript::{self, Author, Content};

use super::resident::Home;
use super::talks::Shown;

/// What a home shows of one conversation.
fn shown(home: &Home, id: LocalId) -> Shown {
    let messages = transcript::read(home, id).expect("what was committed can be read");
    let text = |content: &Content| match content {
        Content::Text(text) => text.clone(),
        Content::Newer { kind, .. } => format!("something of type {kind}"),
    };
    messages.iter().map(|message| (message.author, text(&message.content))).collect()
}

/// How many texts of one side are shown.
fn count(shown: &Shown, author: Author) -> usize {
    shown.iter().filter(|(by, _)| *by == author).count()
}
