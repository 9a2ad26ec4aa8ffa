//! The people of a world: who uses the real machines, and what they want.

mod asker;
mod volunteer;

pub use asker::Asker;
pub use volunteer::{Grants, Volunteer};

use poterne_client_core::records::LocalId;
use poterne_client_core::transcript::{self, Author, Content, Message};

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::Rng;

use super::resident::Home;
use super::talks::{Line, Shown};

/// What a home shows of one conversation.
fn shown(home: &Home, id: LocalId) -> Shown {
    let messages = transcript::read(home, id).expect("what was committed can be read");
    let text = |content: &Content| match content {
        Content::Text(text) => text.clone(),
        Content::Newer { kind, .. } => format!("something of type {kind}"),
        Content::File { bytes, .. } => format!("a file of {bytes} bytes"),
    };
    let line = |message: &Message| Line {
        thread: message.position.attempt,
        author: message.author,
        text: text(&message.content),
    };
    messages.iter().map(line).collect()
}

/// How many texts of one side are shown.
fn count(shown: &Shown, author: Author) -> usize {
    shown.iter().filter(|line| line.author == author).count()
}

/// A text that begins with `name`, in one of three scripts, from a few bytes to some envelopes long.
pub fn text(name: &str, dice: &mut ChaCha20Rng) -> String {
    let bytes = match dice.next_u64() % 8 {
        0 => dice.next_u64() % 12_000,
        1 | 2 => dice.next_u64() % 4000,
        _ => dice.next_u64() % 200,
    };
    let words = ["помогите ", "допоможіть ", "aidez-moi "];
    let word = words[(dice.next_u64() % 3) as usize];
    format!("{name}: {}", word.repeat(bytes as usize / word.len()))
}
