//! The desk log and attachments.

use poterne_protocol::codec::Writer;
use poterne_protocol::kem::KemSecret;
use poterne_protocol::vectors::Vector;

use super::{counting, whole};
use crate::attachment::Descriptor;
use crate::fixture::{Asked, ask, rng};
use crate::log_envelope::event::{Adopted, Event, LogOpened};
use crate::log_envelope::{Entry, LogHead, LogOf};
use crate::sign::SignSecret;

pub(super) fn all() -> Vec<Vector> {
    vec![log_entry(), attachment()]
}

/// One event of each type that is laid.
fn events(it: &Asked) -> Vec<Event> {
    let request = it.opened.handshake.contact_hash;
    let mut opened = LogOpened {
        signing_key: SignSecret::from_seed(&counting(2)).public(),
        contact_key: KemSecret::from_seed(&counting(3)).public(),
        snapshot: counting(4),
        signature: [0; 64],
    };
    opened.sign(&SignSecret::from_seed(&counting(5)), b"context");
    let (lifeline, answer_box) = (it.opened.lifeline(), it.opened.answer_box());
    let lease = 2;
    vec![
        Event::Opened(Box::new(opened)),
        Event::Claimed { request, lease },
        Event::Adopting { request, lease },
        Event::Adopted(Box::new(Adopted { request, lease, lifeline, answer_box })),
        Event::Bound { request, session: [6; 16] },
        Event::Triaged { request, urgency: 3, language: *b"fr\0\0", tags: b"visa\nfamily".to_vec() },
        Event::Note { request, text: "à rappeler".as_bytes().to_vec() },
        Event::HandOver { request, to: 7 },
        Event::Closed { request, reason: 1 },
        Event::Other(10, vec![8]),
    ]
}

fn entry(it: &Asked) -> Entry {
    let heads = vec![LogHead { index: 1, sequence: 2, hash: [3; 8] }];
    Entry { author: 258, sequence: 9, previous: counting(1), heads, events: events(it) }
}

/// The plaintext of an entry, without its signature.
pub(crate) fn entry_bytes() -> Vec<u8> {
    entry(&ask(4)).write().into_vec()
}

/// The bytes of one event of each type.
pub(crate) fn event_bytes() -> Vec<Vec<u8>> {
    let encoded = |event: Event| {
        let mut writer = Writer::default();
        event.write(&mut writer);
        writer.into_vec()
    };
    events(&ask(4)).into_iter().map(encoded).collect()
}

fn log_entry() -> Vector {
    let it = ask(4);
    let key = SignSecret::from_seed(&counting(2));
    let entry = entry(&it);
    let log = LogOf { desk: it.desk.id, epoch: it.desk.epoch, seed: &it.desk.seed, index: 258 };
    let (envelope, hash) = entry.seal(&log, &key, &mut rng(8)).expect("the events fit");
    let (opened, _) = Entry::open(&log, &key.public(), &envelope).expect("it was just sealed");
    assert_eq!(opened, entry, "an entry comes back as it was");
    let vector = Vector::new("desk log envelope")
        .bytes("epoch seed", it.desk.seed.expose())
        .bytes("desk id", &it.desk.id.0)
        .text("day", it.desk.epoch.day)
        .text("generation", it.desk.epoch.generation)
        .text("index", 258)
        .bytes("seed of the epoch's signing key", key.expose_seed());
    whole(vector, "envelope", envelope.as_bytes()).bytes("hash", &hash)
}

fn attachment() -> Vector {
    let content = b"content of a file";
    let descriptor = Descriptor::of(content, "text/plain", &mut rng(9)).expect("a short file");
    let mut random = rng(10);
    let chunk = descriptor.seal_chunks(content, &mut random).next().expect("16 chunks");
    let opened = descriptor.open_chunk(0, &chunk).expect("it was just sealed");
    let joined = descriptor.join(&[opened]).expect("the only chunk with content");
    assert_eq!(joined.as_slice(), content, "a file comes back as it was");
    let vector = Vector::new("attachment chunk").bytes("file key", descriptor.file_key.expose());
    whole(vector, "chunk 0", chunk.as_bytes()).text("count", descriptor.count).bytes("content", content)
}
