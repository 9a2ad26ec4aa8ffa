//! The events of a desk log and their layouts {type u8, length u16, value} (docs/spec/desk-log.md).
//!
//! `request` is H(M0). Invariant: an event that this build does not understand is kept as it came.

use poterne_protocol::codec::{DecodeError, Reader, Writer};
use poterne_protocol::kem::KemPublic;
use poterne_protocol::keys::{KeyHash, WriteKey};
use subtle::ConstantTimeEq;

use crate::answer_box::{AnswerBoxWriter, AnswerRelay};
use crate::dh::DhPublic;
use crate::labels;
use crate::lifeline::Lifeline;
use crate::secret::Secret;
use crate::sign::{SIGNATURE_BYTES, SignPublic, SignSecret};

/// Bytes of an event's value at most.
const EVENT_BYTES: usize = 3800;

/// What happened at a desk.
#[derive(Clone, Eq, PartialEq)]
pub enum Event {
    /// 3: the answer is stored; the conversation is this device's.
    Adopted(Box<Adopted>),
    /// 2: a device is about to answer.
    Adopting {
        /// H(M0).
        request: [u8; 32],
        /// 0 where no relay holds the request any more.
        lease: u32,
    },
    /// 4: the device has opened her first message, which ends every conflict.
    Bound {
        /// H(M0).
        request: [u8; 32],
        /// H(SID)[..16].
        session: [u8; 16],
    },
    /// 1: a device has leased a request.
    Claimed {
        /// H(M0).
        request: [u8; 32],
        /// The number of the lease.
        lease: u32,
    },
    /// 9: the conversation is over.
    Closed {
        /// H(M0).
        request: [u8; 32],
        /// As in the body *close*.
        reason: u8,
    },
    /// 8: another device goes on.
    HandOver {
        /// H(M0).
        request: [u8; 32],
        /// Its index.
        to: u16,
    },
    /// 6: a note for the desk's eyes.
    Note {
        /// H(M0).
        request: [u8; 32],
        /// UTF-8.
        text: Vec<u8>,
    },
    /// 0: the first event of a log.
    Opened(Box<LogOpened>),
    /// 5: what kind of request it is.
    Triaged {
        /// H(M0).
        request: [u8; 32],
        /// 0 none … 255 at once.
        urgency: u8,
        /// ASCII, padded with zeros.
        language: [u8; 4],
        /// Tags, UTF-8, separated by line feeds.
        tags: Vec<u8>,
    },
    /// Any other type: 7 canned set, 10 vetting step, 11 shift have layouts of their own that are not laid yet.
    Other(u8, Vec<u8>),
}

crate::secret::silent!(Event);

/// {request 32, lease number 4, L 32, TH0 32, e_R 32, write key 32, two relay numbers, H(own_r1) 32, H(own_r2) 32}.
#[derive(Clone)]
pub struct Adopted {
    /// H(M0).
    pub request: [u8; 32],
    /// The number of the lease.
    pub lease: u32,
    /// How to reach her if the conversation breaks.
    pub lifeline: Lifeline,
    /// Where.
    pub answer_box: AnswerBoxWriter,
}

crate::secret::silent!(Adopted);

impl PartialEq for Adopted {
    fn eq(&self, other: &Self) -> bool {
        let (mut left, mut right) = (Writer::default(), Writer::default());
        self.write(&mut left);
        other.write(&mut right);
        left.as_slice().ct_eq(right.as_slice()).into()
    }
}

impl Eq for Adopted {}

/// {Ed25519 key of the epoch 32, X-Wing key of the epoch 1216, snapshot hash 32, signature 64 by the roster key}.
#[derive(Clone, Eq, PartialEq)]
pub struct LogOpened {
    /// Signs the entries of this log.
    pub signing_key: SignPublic,
    /// Takes contacts of other devices.
    pub contact_key: KemPublic,
    /// H(snapshot) that the device starts from; 32 zero bytes where there is none.
    pub snapshot: [u8; 32],
    /// By the device's key in the roster.
    pub signature: [u8; SIGNATURE_BYTES],
}

crate::secret::silent!(LogOpened);

impl LogOpened {
    /// The roster key vouches for the keys of an epoch. `context` is desk id ‖ day ‖ generation ‖ index.
    pub fn sign(&mut self, roster: &SignSecret, context: &[u8]) {
        let parts: [&[u8]; 4] = [context, &self.signing_key.0, self.contact_key.as_bytes(), &self.snapshot];
        self.signature = roster.sign(labels::LOG_OPENED_SIGNATURE, &parts);
    }

    /// Whether the roster key vouches for it.
    pub fn is_signed(&self, roster: &SignPublic, context: &[u8]) -> bool {
        let parts: [&[u8]; 4] = [context, &self.signing_key.0, self.contact_key.as_bytes(), &self.snapshot];
        roster.verifies(labels::LOG_OPENED_SIGNATURE, &parts, &self.signature)
    }
}

impl Event {
    fn kind(&self) -> u8 {
        match self {
            Self::Opened(_) => 0,
            Self::Claimed { .. } => 1,
            Self::Adopting { .. } => 2,
            Self::Adopted(_) => 3,
            Self::Bound { .. } => 4,
            Self::Triaged { .. } => 5,
            Self::Note { .. } => 6,
            Self::HandOver { .. } => 8,
            Self::Closed { .. } => 9,
            Self::Other(kind, _) => *kind,
        }
    }

    pub(crate) fn write(&self, writer: &mut Writer) {
        let mut value = Writer::default();
        self.write_value(&mut value);
        writer.u8(self.kind()).var(value.as_slice());
    }

    fn write_value(&self, writer: &mut Writer) {
        match self {
            Self::Adopted(adopted) => adopted.write(writer),
            Self::Adopting { request, lease } | Self::Claimed { request, lease } => {
                writer.put(request).u32(*lease);
            }
            Self::Bound { request, session } => _ = writer.put(request).put(session),
            Self::Closed { request, reason } => _ = writer.put(request).u8(*reason),
            Self::HandOver { request, to } => _ = writer.put(request).u16(*to),
            Self::Note { request, text } => _ = writer.put(request).put(text),
            Self::Opened(opened) => {
                writer.put(&opened.signing_key.0).put(opened.contact_key.as_bytes());
                writer.put(&opened.snapshot).put(&opened.signature);
            }
            Self::Triaged { request, urgency, language, tags } => {
                writer.put(request).u8(*urgency).put(language).put(tags);
            }
            Self::Other(_, value) => _ = writer.put(value),
        }
    }

    pub(crate) fn read(reader: &mut Reader) -> Result<Self, DecodeError> {
        let kind = reader.u8()?;
        let value = reader.var(EVENT_BYTES, "event")?;
        Ok(Self::parse(kind, value).unwrap_or_else(|_| Self::Other(kind, value.to_vec())))
    }

    fn parse(kind: u8, value: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(value);
        let event = match kind {
            0 => Self::Opened(Box::new(LogOpened {
                signing_key: SignPublic(reader.array()?),
                contact_key: KemPublic::parse(&reader.array()?)?,
                snapshot: reader.array()?,
                signature: reader.array()?,
            })),
            1 => Self::Claimed { request: reader.array()?, lease: reader.u32()? },
            2 => Self::Adopting { request: reader.array()?, lease: reader.u32()? },
            3 => Self::Adopted(Box::new(Adopted::read(&mut reader)?)),
            4 => Self::Bound { request: reader.array()?, session: reader.array()? },
            5 => Self::Triaged {
                request: reader.array()?,
                urgency: reader.u8()?,
                language: reader.array()?,
                tags: reader.rest().to_vec(),
            },
            6 => Self::Note { request: reader.array()?, text: reader.rest().to_vec() },
            8 => Self::HandOver { request: reader.array()?, to: reader.u16()? },
            9 => Self::Closed { request: reader.array()?, reason: reader.u8()? },
            value => return Err(DecodeError::UnknownType { value }),
        };
        reader.finish()?;
        Ok(event)
    }
}

impl Adopted {
    fn write(&self, writer: &mut Writer) {
        writer.put(&self.request).u32(self.lease);
        writer.put(self.lifeline.secret.expose()).put(&self.lifeline.th0).put(&self.lifeline.lasting_key.0);
        let [first, second] = self.answer_box.relays();
        writer.put(self.answer_box.write_key().expose()).u8(first.number).u8(second.number);
        writer.put(&first.own.0).put(&second.own.0);
    }

    fn read(reader: &mut Reader) -> Result<Self, DecodeError> {
        let (request, lease) = (reader.array()?, reader.u32()?);
        let lifeline = Lifeline {
            secret: Secret::from_bytes(&reader.array()?),
            th0: reader.array()?,
            lasting_key: DhPublic(reader.array()?),
        };
        let write = WriteKey::from_bytes(&reader.array()?);
        let numbers = [reader.u8()?, reader.u8()?];
        let relays = [
            AnswerRelay { number: numbers[0], own: KeyHash(reader.array()?) },
            AnswerRelay { number: numbers[1], own: KeyHash(reader.array()?) },
        ];
        Ok(Self { request, lease, lifeline, answer_box: AnswerBoxWriter::new(write, relays) })
    }
}
