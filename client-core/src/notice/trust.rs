//! How a client comes to believe a notice: the rules of TUF, for one desk (docs/spec/notice.md §8).
//!
//! Invariant: what was believed once is never unlearnt. A notice with a lower version, an older root set or another hash
//! under the same version is refused for ever, whoever shows it.

use poterne_protocol::codec::DecodeError;
use poterne_protocol::desk::{CardSecret, DeskId};
use poterne_protocol::envelope::SealedEnvelope;
use poterne_protocol::time::{Day, UnixTime};
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::annex::{self, Annex, PARTS_MAX, Part};
use super::head::{Head, Version};
use super::{NOTICE_GRACE_SECS, Notice, NoticeHash, notice_key};
use crate::desk::roots::RootSet;
use crate::seal::open_whole;
use crate::stored::{self, StoredError};

const STORED_VERSION: u8 = 1;

/// What a client knows of a desk between notices.
#[derive(Clone, Debug)]
pub struct NoticeTrust {
    desk: DeskId,
    card: CardSecret,
    roots: Option<RootSet>,
    highest: Option<(Version, NoticeHash)>,
}

/// Why an envelope is not believed as a notice.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NoticeError {
    /// The roots have changed since: the annex of this notice is needed to follow them.
    #[error("the desk has new roots, and the annex that leads to them is missing")]
    AnnexWanted,
    /// The coordinator's certificate is not signed by the roots, or does not cover the day.
    #[error("the coordinator of the notice is not certified for its day")]
    Certificate,
    /// It is not of the form of a head, though it was sealed with the card's secret.
    #[error("the envelope holds no notice: {0}")]
    Decode(#[from] DecodeError),
    /// It is over.
    #[error("the notice has expired")]
    Expired,
    /// The signature, the desk, the day or the expiry is not what it must be.
    #[error("the notice is forged")]
    Forged,
    /// It does not open under the card's secret for that day.
    #[error("the envelope does not open as a notice of that day")]
    NotOpened,
    /// A newer notice was seen already.
    #[error("the notice is older than one seen before")]
    Older,
    /// The root chain does not lead from the roots that are known to those of the notice.
    #[error("the roots of the notice do not follow from those of the card")]
    Roots,
    /// Another notice of the same version, or one that does not follow from it, was seen: somebody shows different
    /// people different notices.
    #[error("two different notices claim the same place")]
    Split,
}

impl NoticeTrust {
    /// What a card says: the desk's id and the secret that opens its notices.
    pub fn new(desk: DeskId, card: CardSecret) -> Self {
        Self { desk, card, roots: None, highest: None }
    }

    /// The desk.
    pub fn desk(&self) -> DeskId {
        self.desk
    }

    /// The card's secret.
    pub fn card(&self) -> &CardSecret {
        &self.card
    }

    /// The highest version believed so far.
    pub fn highest(&self) -> Option<Version> {
        self.highest.map(|(version, _)| version)
    }

    /// Whether the envelope is the head of some notice of that day, before anything of it is believed: which envelope to
    /// pass to [`Self::verify`], and with which number of annex parts in front of it.
    pub fn peek(&self, envelope: &SealedEnvelope, day: Day) -> Option<(Version, u8)> {
        self.open_head(envelope, day).ok().map(|head| (head.version, head.annex_parts))
    }

    /// H(head), where the envelope is the head of some notice of that day; nothing of it is believed.
    pub fn peek_hash(&self, envelope: &SealedEnvelope, day: Day) -> Option<NoticeHash> {
        self.open_head(envelope, day).ok().map(|head| head.hash())
    }

    /// Verifies the head of a notice for `day` at the time of `now`. `others` are further envelopes of the same log, in
    /// any order; the annex among them is needed only where the roots have changed.
    pub fn verify(
        &mut self,
        head: &SealedEnvelope,
        others: &[SealedEnvelope],
        day: Day,
        now: UnixTime,
    ) -> Result<Notice, NoticeError> {
        let head = self.open_head(head, day)?;
        self.check_form(&head, day)?;
        let roots = self.follow_roots(&head, others)?;
        if !head.certificate.is_certified(&roots, &self.desk) || !head.certificate.covers(day) {
            return Err(NoticeError::Certificate);
        }
        if !head.is_signed() {
            return Err(NoticeError::Forged);
        }
        let notice = Notice::verified(head);
        self.check_place(&notice)?;
        if now >= notice.expiry() {
            return Err(NoticeError::Expired);
        }
        self.roots = Some(roots);
        self.highest = Some((notice.version(), notice.hash()));
        Ok(notice)
    }

    /// The annex of a notice out of the envelopes of its log. None where parts are missing or are not its own.
    pub fn annex(&self, notice: &Notice, envelopes: &[SealedEnvelope]) -> Option<Annex> {
        self.assemble(notice.head(), envelopes)
    }

    fn open_head(&self, envelope: &SealedEnvelope, day: Day) -> Result<Head, NoticeError> {
        let key = notice_key(&self.card, &self.desk, day);
        let text = open_whole(key.expose(), envelope).map_err(|_| NoticeError::NotOpened)?;
        Ok(Head::read(&mut poterne_protocol::codec::Reader::new(&text))?)
    }

    fn check_form(&self, head: &Head, day: Day) -> Result<(), NoticeError> {
        let is_sound = head.desk == self.desk
            && head.epoch.day == day
            && head.version.root == head.roots.version
            && head.version.serial == head.certificate.serial
            && head.expiry <= day.end().plus(NOTICE_GRACE_SECS);
        if is_sound { Ok(()) } else { Err(NoticeError::Forged) }
    }

    /// The root set of the head, once it is shown to follow from what is known.
    fn follow_roots(&self, head: &Head, others: &[SealedEnvelope]) -> Result<RootSet, NoticeError> {
        match &self.roots {
            Some(known) if *known == head.roots => return Ok(known.clone()),
            Some(known) if head.roots.version < known.version => return Err(NoticeError::Older),
            Some(known) if head.roots.version == known.version => return Err(NoticeError::Roots),
            None if head.roots.version == 1 && head.roots.desk_id() == self.desk => {
                return Ok(head.roots.clone());
            }
            _ => {}
        }
        let annex = self.assemble(head, others).ok_or(NoticeError::AnnexWanted)?;
        self.walk(head, &annex).ok_or(NoticeError::Roots)
    }

    fn walk(&self, head: &Head, annex: &Annex) -> Option<RootSet> {
        let (first, links) = annex.root_chain()?;
        let mut current = match &self.roots {
            Some(known) => known.clone(),
            None if first.version == 1 && first.desk_id() == self.desk => first.clone(),
            None => return None,
        };
        for link in links.iter().filter(|link| link.next.version <= head.roots.version) {
            if link.next.version <= current.version {
                continue;
            }
            if !link.follows(&current, &self.desk) {
                return None;
            }
            current = link.next.clone();
        }
        (current == head.roots).then_some(current)
    }

    fn assemble(&self, head: &Head, envelopes: &[SealedEnvelope]) -> Option<Annex> {
        if usize::from(head.annex_parts) > PARTS_MAX {
            return None;
        }
        let key = notice_key(&self.card, &self.desk, head.epoch.day);
        let parts: Vec<Part> = envelopes
            .iter()
            .filter_map(|envelope| open_whole(key.expose(), envelope).ok())
            .filter_map(|text| Part::parse(&text).ok())
            .collect();
        annex::assemble(&parts, &head.annex_hash, head.annex_parts)
    }

    fn check_place(&self, notice: &Notice) -> Result<(), NoticeError> {
        let Some((version, hash)) = self.highest else { return Ok(()) };
        let (found, head) = (notice.version(), notice.head());
        if found < version {
            return Err(NoticeError::Older);
        }
        let is_next = found.root == version.root
            && found.serial == version.serial
            && version.counter.checked_add(1) == Some(found.counter);
        if (found == version && notice.hash() != hash) || (is_next && head.previous != hash) {
            return Err(NoticeError::Split);
        }
        Ok(())
    }

    /// The state for the vault.
    pub fn to_stored(&self) -> Zeroizing<Vec<u8>> {
        stored::save(STORED_VERSION, &Plain::from(self))
    }

    /// The state out of the vault.
    pub fn from_stored(bytes: &[u8]) -> Result<Self, StoredError> {
        Self::try_from(stored::load::<Plain>(STORED_VERSION, bytes)?)
    }
}

#[derive(Deserialize, Serialize, Zeroize, ZeroizeOnDrop)]
struct Plain {
    desk: [u8; 32],
    card: [u8; 16],
    roots: Option<Vec<u8>>,
    highest: Option<(u16, u16, u32, [u8; 32])>,
}

impl From<&NoticeTrust> for Plain {
    fn from(trust: &NoticeTrust) -> Self {
        Self {
            desk: trust.desk.0,
            card: *trust.card.expose(),
            roots: trust.roots.as_ref().map(RootSet::encode),
            highest: trust
                .highest
                .map(|(version, hash)| (version.root, version.serial, version.counter, hash.0)),
        }
    }
}

impl TryFrom<Plain> for NoticeTrust {
    type Error = StoredError;

    fn try_from(plain: Plain) -> Result<Self, StoredError> {
        let parse = |bytes: &Vec<u8>| {
            RootSet::read(&mut poterne_protocol::codec::Reader::new(bytes)).map_err(|_| StoredError::Damaged)
        };
        Ok(Self {
            desk: DeskId(plain.desk),
            card: CardSecret::from_bytes(&plain.card),
            roots: plain.roots.as_ref().map(parse).transpose()?,
            highest: plain
                .highest
                .map(|(root, serial, counter, hash)| (Version { root, serial, counter }, NoticeHash(hash))),
        })
    }
}
