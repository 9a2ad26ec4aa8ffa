//! A conversation that has begun, as both sides keep it: the ratchet, its relays, and parts of bodies that are not whole
//! yet (docs/spec/client.md §4).

use poterne_protocol::envelope::SealedEnvelope;
use poterne_protocol::keys::Pin;
use poterne_protocol::mailbox::WriteTo;
use poterne_protocol::time::Day;
use rand_core::CryptoRng;
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::attachment::Descriptor;
use crate::body::{self, Assembler, Body, Part, PartMark};
use crate::notice::Notice;
use crate::outbox::Target;
use crate::session::{OpenError, Opened, Sealed, Session};
use crate::stored::StoredError;

/// One end of a conversation and what belongs to it.
#[derive(Clone, Debug)]
pub(crate) struct Talk {
    pub(crate) session: Session,
    /// H(M0) of the request that it answers.
    pub(crate) contact: [u8; 32],
    /// Where its mailboxes lie, the preferred relay first.
    pub(crate) relays: Vec<Pin>,
    /// Where the other side has said that its next chain will lie.
    pub(crate) peer_relays: Vec<Pin>,
    parts: Assembler,
}

/// What an opened envelope brought.
#[derive(Debug)]
pub(crate) struct Heard {
    /// The chain of the message.
    pub(crate) chain: u32,
    /// The body that it completes, with the number of its first part.
    pub(crate) whole: Option<(u32, Body)>,
}

/// So many messages can't be sent before the other side has answered.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Unanswered;

impl Talk {
    pub(crate) fn new(session: Session, contact: [u8; 32], relays: Vec<Pin>) -> Self {
        Self { session, contact, relays, peer_relays: Vec::new(), parts: Assembler::default() }
    }

    /// Whether a body can be sealed before the other side has answered.
    pub(crate) fn has_room_for(&self, body: &Body) -> bool {
        let size = self.session.body_bytes();
        let parts = body::split(body.kind(), &body.encode(), size, size);
        parts.is_some_and(|parts| parts.len() <= self.session.messages_left() as usize)
    }

    /// Seals a body in as many messages as it takes, all or none.
    pub(crate) fn seal(&mut self, body: &Body, rng: &mut impl CryptoRng) -> Result<Vec<Sealed>, Unanswered> {
        let size = self.session.body_bytes();
        let parts = body::split(body.kind(), &body.encode(), size, size).ok_or(Unanswered)?;
        if parts.len() > self.session.messages_left() as usize {
            return Err(Unanswered);
        }
        let seal = |part| self.session.seal(part, rng).map_err(|_| Unanswered);
        parts.iter().map(seal).collect()
    }

    /// Seals a text and the announcement of the file that goes with it, all or nothing.
    pub(crate) fn seal_letter(
        &mut self,
        text: &str,
        file: Option<&Descriptor>,
        rng: &mut impl CryptoRng,
    ) -> Result<(Vec<Sealed>, Vec<Sealed>), Unanswered> {
        let text = Body::Text(Zeroizing::new(text.to_owned()));
        let file = file.map(|descriptor| Body::Attachment(descriptor.clone()));
        if !self.has_room_for_all(&[Some(&text), file.as_ref()]) {
            return Err(Unanswered);
        }
        let text = self.seal(&text, rng)?;
        let file = file.map(|body| self.seal(&body, rng)).transpose()?;
        Ok((text, file.unwrap_or_default()))
    }

    fn has_room_for_all(&self, bodies: &[Option<&Body>]) -> bool {
        let size = self.session.body_bytes();
        let parts =
            |body: &&Body| body::split(body.kind(), &body.encode(), size, size).map(|parts| parts.len());
        let counts: Option<Vec<usize>> = bodies.iter().flatten().map(parts).collect();
        counts.is_some_and(|counts| counts.iter().sum::<usize>() <= self.session.messages_left() as usize)
    }

    /// Opens an envelope of the other side.
    pub(crate) fn open(&mut self, envelope: &SealedEnvelope, today: Day) -> Result<Heard, OpenError> {
        self.session.open(envelope, today).map(|opened| self.hear(opened))
    }

    /// Takes in a message that was opened.
    pub(crate) fn hear(&mut self, opened: Opened) -> Heard {
        let Opened { chain, n, mark, kind, bytes } = opened;
        let whole = self.parts.insert(chain, n, Part { kind, mark, bytes });
        Heard { chain, whole: whole.map(|whole| (whole.range.0, Body::parse(whole.kind, &whole.bytes))) }
    }

    /// The relays at which the other side's messages may lie.
    pub(crate) fn reading_relays(&self) -> impl Iterator<Item = Pin> {
        self.relays.iter().chain(&self.peer_relays).copied()
    }

    /// Whether the other side's messages may lie at that relay.
    pub(crate) fn reads_at(&self, relay: &Pin) -> bool {
        self.relays.contains(relay) || self.peer_relays.contains(relay)
    }

    /// The other side's next chain lies at the relays of those numbers; the notice tells which they are.
    pub(crate) fn peer_moves_to(&mut self, numbers: [u8; 2], notice: &Notice) {
        let pins: Vec<Pin> = numbers.iter().filter_map(|number| Some(notice.relay(*number)?.pin)).collect();
        if !pins.is_empty() {
            self.peer_relays = pins;
        }
    }

    /// A plain mailbox of the conversation, at each of its relays.
    pub(crate) fn targets(&self, mailbox: &poterne_protocol::keys::MailboxSecret) -> Vec<Target> {
        let keys = mailbox.keys();
        self.relays.iter().map(|pin| Target { relay: *pin, to: WriteTo::plain(&keys, pin) }).collect()
    }
}

/// A conversation at rest.
#[derive(Deserialize, Serialize, Zeroize, ZeroizeOnDrop)]
pub(crate) struct TalkPlain {
    session: Vec<u8>,
    contact: [u8; 32],
    relays: Vec<[u8; 16]>,
    peer_relays: Vec<[u8; 16]>,
    parts: Vec<PartPlain>,
}

#[derive(Deserialize, Serialize, Zeroize, ZeroizeOnDrop)]
struct PartPlain {
    chain: u32,
    n: u32,
    kind: u8,
    mark: u16,
    bytes: Vec<u8>,
}

impl Talk {
    pub(crate) fn to_plain(&self) -> TalkPlain {
        let part = |(chain, n, part): (u32, u32, &Part)| PartPlain {
            chain,
            n,
            kind: part.kind,
            mark: part.mark.to_wire(),
            bytes: part.bytes.to_vec(),
        };
        TalkPlain {
            session: self.session.to_stored().to_vec(),
            contact: self.contact,
            relays: self.relays.iter().map(|pin| pin.0).collect(),
            peer_relays: self.peer_relays.iter().map(|pin| pin.0).collect(),
            parts: self.parts.parts().map(part).collect(),
        }
    }

    pub(crate) fn from_plain(plain: &TalkPlain) -> Result<Self, StoredError> {
        let mut parts = Assembler::default();
        for PartPlain { chain, n, kind, mark, bytes } in &plain.parts {
            let mark = PartMark::from_wire(*mark);
            parts.insert(*chain, *n, Part { kind: *kind, mark, bytes: Zeroizing::new(bytes.clone()) });
        }
        Ok(Self {
            session: Session::from_stored(&plain.session)?,
            contact: plain.contact,
            relays: plain.relays.iter().copied().map(Pin).collect(),
            peer_relays: plain.peer_relays.iter().copied().map(Pin).collect(),
            parts,
        })
    }
}
