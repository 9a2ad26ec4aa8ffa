//! The types of bodies and their layouts (docs/spec/ratchet.md §7).
//!
//! Invariant: `Body::parse(kind, encode())` gives the body back; whatever does not fit its layout is kept as
//! [`Body::Unknown`], so that nothing that was opened is lost.

use poterne_protocol::codec::{DecodeError, Reader, Writer};
use poterne_protocol::kem::KemPublic;
use zeroize::Zeroizing;

use crate::attachment::Descriptor;
use crate::desk::certificate::DeviceCertificate;

/// Acknowledged ranges in one body at most.
const ACKS_MAX: usize = 128;
/// Credits in one body at most.
const CREDITS_MAX: usize = 64;
/// Bytes of one credit code.
pub const CREDIT_BYTES: usize = 16;

/// What a message says.
#[derive(Clone, Eq, PartialEq)]
pub enum Body {
    /// 5: what was delivered or read.
    Ack(Vec<Ack>),
    /// 6: a file that lies in mailboxes of its own.
    Attachment(Descriptor),
    /// 7: another desk's card, as its link.
    Card(String),
    /// 3: the conversation is over.
    Close(Close),
    /// 12: her word on something that was asked of her.
    Consent(Consent),
    /// 4: nothing; it looks like everything else.
    Cover,
    /// 8: one-time codes that pay for mailboxes.
    Credits(Credits),
    /// 10: two copies of the reader's peer are in use.
    Fork(ForkReport),
    /// 11: a form to fill in, or one that was filled in.
    Form(Form),
    /// 2: somebody else goes on.
    HandOver(HandOver),
    /// 9: the two relays of the sender's next chain.
    Relays([u8; 2]),
    /// 1: words.
    Text(Zeroizing<String>),
    /// A type that this build does not know, or one whose layout it does not know.
    Unknown(u8, Zeroizing<Vec<u8>>),
}

crate::secret::silent!(Body);

/// Messages that were delivered or read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Ack {
    /// Whether a person has read them; otherwise they were opened.
    pub is_read: bool,
    /// Their chain; [`Ack::FOLLOW_UPS`] for the follow-ups of the request.
    pub chain: u32,
    /// The number of the first one.
    pub first: u16,
    /// The number of the last one.
    pub last: u16,
}

impl Ack {
    /// Stands for the follow-ups where a chain is named.
    pub const FOLLOW_UPS: u32 = u32::MAX;
}

/// {reason u8, text}.
#[derive(Clone, Eq, PartialEq)]
pub struct Close {
    /// 0 none given, 1 answered, 2 nothing more can be done, 3 not for this desk.
    pub reason: u8,
    /// What to say, may be empty.
    pub text: String,
}

crate::secret::silent!(Close);

/// {what u8, answer u8, H(what was asked) 32}.
#[derive(Clone, Copy, Eq, PartialEq)]
pub struct Consent {
    /// 1 an excerpt travels on, 2 a referral, 3 keeping of a record.
    pub what: u8,
    /// Whether she agrees.
    pub agrees: bool,
    /// The hash of the body that asked.
    pub subject: [u8; 32],
}

crate::secret::silent!(Consent);

/// {relay number u8, count u8, count x code 16}.
#[derive(Clone, Eq, PartialEq)]
pub struct Credits {
    /// Where they are taken.
    pub relay: u8,
    /// The codes.
    pub codes: Vec<[u8; CREDIT_BYTES]>,
}

crate::secret::silent!(Credits);

/// {chain u32, n u32}: where two messages claim one place.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ForkReport {
    /// The chain.
    pub chain: u32,
    /// The number.
    pub n: u32,
}

/// {form u16, is filled in u8, fields}.
#[derive(Clone, Eq, PartialEq)]
pub struct Form {
    /// Which form, in the desk's numbering.
    pub form: u16,
    /// Whether it holds answers.
    pub is_filled: bool,
    /// Fields {id u8, value u16-length}, as they came.
    pub fields: Vec<u8>,
}

crate::secret::silent!(Form);

/// {reason u8, target u8, target}: who goes on. Her app asks her, then makes a new contact.
#[derive(Clone, Eq, PartialEq)]
pub struct HandOver {
    /// Why.
    pub reason: Reason,
    /// To whom.
    pub to: Successor,
}

crate::secret::silent!(HandOver);

/// Why somebody else goes on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Reason {
    /// 1: two copies of the volunteer's state are in use.
    Fork,
    /// 2: the volunteer does not answer any more.
    Gone,
    /// 3: the volunteer gives it to another one.
    HandedOver,
    /// 4: another desk is the right one.
    Referred,
    /// A reason that this build does not know.
    Other(u8),
}

/// Who goes on.
#[derive(Clone, Eq, PartialEq)]
pub enum Successor {
    /// 1: another desk, by its card's link.
    Desk(String),
    /// 0: another device of the desk.
    Device {
        /// Its certificate.
        certificate: Box<DeviceCertificate>,
        /// Its one-time X-Wing key.
        key: KemPublic,
    },
}

crate::secret::silent!(Successor);

impl Reason {
    pub(crate) fn number(self) -> u8 {
        match self {
            Self::Fork => 1,
            Self::Gone => 2,
            Self::HandedOver => 3,
            Self::Referred => 4,
            Self::Other(number) => number,
        }
    }

    pub(crate) fn parse(number: u8) -> Self {
        match number {
            1 => Self::Fork,
            2 => Self::Gone,
            3 => Self::HandedOver,
            4 => Self::Referred,
            other => Self::Other(other),
        }
    }
}

impl Body {
    /// The number of text.
    pub const TEXT: u8 = 1;
    /// The number of [`Body::HandOver`].
    pub const HAND_OVER: u8 = 2;

    /// The number of the type, which stands in the header.
    pub fn kind(&self) -> u8 {
        match self {
            Self::Text(_) => Self::TEXT,
            Self::HandOver(_) => Self::HAND_OVER,
            Self::Close(_) => 3,
            Self::Cover => 4,
            Self::Ack(_) => 5,
            Self::Attachment(_) => 6,
            Self::Card(_) => 7,
            Self::Credits(_) => 8,
            Self::Relays(_) => 9,
            Self::Fork(_) => 10,
            Self::Form(_) => 11,
            Self::Consent(_) => 12,
            Self::Unknown(kind, _) => *kind,
        }
    }

    /// The body's bytes.
    pub fn encode(&self) -> Zeroizing<Vec<u8>> {
        let mut writer = Writer::default();
        match self {
            Self::Ack(acks) => write_acks(acks, &mut writer),
            Self::Attachment(descriptor) => descriptor.write(&mut writer),
            Self::Card(link) => _ = writer.put(link.as_bytes()),
            Self::Close(close) => _ = writer.u8(close.reason).put(close.text.as_bytes()),
            Self::Consent(consent) => {
                writer.u8(consent.what).u8(consent.agrees.into()).put(&consent.subject);
            }
            Self::Cover => {}
            Self::Credits(credits) => write_credits(credits, &mut writer),
            Self::Fork(fork) => _ = writer.u32(fork.chain).u32(fork.n),
            Self::Form(form) => _ = writer.u16(form.form).u8(form.is_filled.into()).put(&form.fields),
            Self::HandOver(hand_over) => hand_over.write(&mut writer),
            Self::Relays(numbers) => _ = writer.put(numbers),
            Self::Text(text) => _ = writer.put(text.as_bytes()),
            Self::Unknown(_, bytes) => _ = writer.put(bytes),
        }
        Zeroizing::new(writer.into_vec())
    }

    /// Reads a body of that type. Never fails: what is not understood is kept.
    pub fn parse(kind: u8, bytes: &[u8]) -> Self {
        Self::parse_known(kind, bytes).unwrap_or_else(|_| Self::Unknown(kind, Zeroizing::new(bytes.to_vec())))
    }

    fn parse_known(kind: u8, bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let body = match kind {
            1 => Self::Text(Zeroizing::new(text(reader.rest()))),
            2 => Self::HandOver(HandOver::read(&mut reader)?),
            3 => Self::Close(Close { reason: reader.u8()?, text: text(reader.rest()) }),
            4 => {
                reader.rest();
                Self::Cover
            }
            5 => Self::Ack(read_acks(&mut reader)?),
            6 => Self::Attachment(Descriptor::read(&mut reader)?),
            7 => Self::Card(text(reader.rest())),
            8 => Self::Credits(read_credits(&mut reader)?),
            9 => Self::Relays(reader.array()?),
            10 => Self::Fork(ForkReport { chain: reader.u32()?, n: reader.u32()? }),
            11 => Self::Form(read_form(&mut reader)?),
            12 => Self::Consent(read_consent(&mut reader)?),
            value => return Err(DecodeError::UnknownType { value }),
        };
        reader.finish()?;
        Ok(body)
    }
}

/// Text for people: what is no UTF-8 shows as such.
fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn boolean(value: u8) -> Result<bool, DecodeError> {
    match value {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(DecodeError::Invalid { field: "yes or no" }),
    }
}

/// {count u8, count x {delivered 0 or read 1, chain u32, first u16, last u16}}.
fn write_acks(acks: &[Ack], writer: &mut Writer) {
    let acks = &acks[..acks.len().min(ACKS_MAX)];
    writer.u8(u8::try_from(acks.len()).expect("at most 128"));
    for ack in acks {
        writer.u8(ack.is_read.into()).u32(ack.chain).u16(ack.first).u16(ack.last);
    }
}

fn read_acks(reader: &mut Reader) -> Result<Vec<Ack>, DecodeError> {
    let count = usize::from(reader.u8()?);
    if count > ACKS_MAX {
        return Err(DecodeError::Invalid { field: "acks" });
    }
    (0..count)
        .map(|_| {
            let is_read = boolean(reader.u8()?)?;
            Ok(Ack { is_read, chain: reader.u32()?, first: reader.u16()?, last: reader.u16()? })
        })
        .collect()
}

fn write_credits(credits: &Credits, writer: &mut Writer) {
    let codes = &credits.codes[..credits.codes.len().min(CREDITS_MAX)];
    writer.u8(credits.relay).u8(u8::try_from(codes.len()).expect("at most 64"));
    codes.iter().for_each(|code| _ = writer.put(code));
}

fn read_credits(reader: &mut Reader) -> Result<Credits, DecodeError> {
    let (relay, count) = (reader.u8()?, usize::from(reader.u8()?));
    if count > CREDITS_MAX {
        return Err(DecodeError::Invalid { field: "credits" });
    }
    let codes = (0..count).map(|_| reader.array()).collect::<Result<_, _>>()?;
    Ok(Credits { relay, codes })
}

fn read_form(reader: &mut Reader) -> Result<Form, DecodeError> {
    let (form, is_filled) = (reader.u16()?, boolean(reader.u8()?)?);
    Ok(Form { form, is_filled, fields: reader.rest().to_vec() })
}

fn read_consent(reader: &mut Reader) -> Result<Consent, DecodeError> {
    let (what, agrees) = (reader.u8()?, boolean(reader.u8()?)?);
    Ok(Consent { what, agrees, subject: reader.array()? })
}

impl HandOver {
    pub(crate) fn write(&self, writer: &mut Writer) {
        writer.u8(self.reason.number());
        match &self.to {
            Successor::Device { certificate, key } => {
                writer.u8(0);
                certificate.write(writer);
                writer.put(key.as_bytes());
            }
            Successor::Desk(card) => _ = writer.u8(1).var(card.as_bytes()),
        }
    }

    pub(crate) fn read(reader: &mut Reader) -> Result<Self, DecodeError> {
        let reason = Reason::parse(reader.u8()?);
        let to = match reader.u8()? {
            0 => Successor::Device {
                certificate: Box::new(DeviceCertificate::read(reader)?),
                key: KemPublic::parse(&reader.array()?)?,
            },
            1 => Successor::Desk(text(reader.var(CARD_BYTES, "card")?)),
            value => return Err(DecodeError::UnknownType { value }),
        };
        Ok(Self { reason, to })
    }
}

/// Bytes of a card's link at most.
const CARD_BYTES: usize = 400;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::vectors::samples;

    #[test]
    fn every_body_comes_back_as_it_was() {
        for body in samples() {
            assert_eq!(Body::parse(body.kind(), &body.encode()), body);
        }
    }

    #[test]
    fn every_body_fits_into_an_answer() {
        for body in samples() {
            assert!(body.encode().len() <= crate::session::message::ANSWER_BODY_BYTES);
        }
    }

    #[test]
    fn a_known_type_with_an_unknown_layout_is_kept() {
        assert_eq!(Body::parse(9, &[1]), Body::Unknown(9, Zeroizing::new(vec![1])));
    }

    proptest! {
        #[test]
        fn no_bytes_are_lost_or_panic(kind in 0u8..20, bytes in proptest::collection::vec(any::<u8>(), 0..1700)) {
            let body = Body::parse(kind, &bytes);
            if let Body::Unknown(_, kept) = &body {
                prop_assert_eq!(kept.as_slice(), bytes.as_slice());
            }
        }
    }
}
