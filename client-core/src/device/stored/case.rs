//! A case at rest (docs/spec/client.md §6). Its envelopes, messages and files lie in records of their own.

use std::collections::BTreeSet;

use poterne_protocol::envelope::EnvelopeId;
use poterne_protocol::keys::Pin;
use poterne_protocol::op::{ClaimId, LeaseToken};
use poterne_protocol::time::{Day, UnixTime};
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::VERSION;
use crate::body::kinds::ForkReport;
use crate::body::{Assembler, Part, PartMark};
use crate::desk::epoch::Epoch;
use crate::device::case::{Case, Lease, Stage};
use crate::files;
use crate::intake::OpenedRequest;
use crate::records::{self, CASE, LocalId, Records};
use crate::stored::{self, StoredError};
use crate::talk::{Talk, TalkPlain};
use crate::thread::{DraftPlain, Thread, ThreadPlain};
use crate::transcript::Author;
use crate::vault::Batch;

/// Puts a case into the batch.
pub(in crate::device) fn write_case(batch: &mut Batch, case: &Case) {
    records::write(batch, &records::key(CASE, case.id()), stored::save(VERSION, &CasePlain::from(case)));
    files::write(batch, &case.thread);
}

/// Puts the removal of a case that was never answered into the batch.
pub(in crate::device) fn erase_case(batch: &mut Batch, case: &Case) {
    records::erase(batch, &records::key(CASE, case.id()));
    for entry in case.thread.outbox.ids() {
        batch.delete(&records::envelope_key(case.id(), entry));
    }
    case.thread.files.erase(case.id(), batch);
    for position in case.shown_positions() {
        batch.delete(&position.key(records::MESSAGE, case.id()));
    }
}

/// A case of a vault.
pub(super) fn load_case(records: &impl Records, id: LocalId) -> Result<Case, StoredError> {
    let plain: CasePlain = stored::load(VERSION, &records::read(records, &records::key(CASE, id))?)?;
    let mut parts = Assembler::default();
    for PartPlain { n, kind, mark, bytes } in &plain.parts {
        let mark = PartMark::from_wire(*mark);
        parts.insert(0, *n, Part { kind: *kind, mark, bytes: Zeroizing::new(bytes.clone()) });
    }
    let (day, generation) = plain.epoch;
    let pins = |pins: &[[u8; 16]]| pins.iter().copied().map(Pin).collect();
    let mut case = Case {
        request: OpenedRequest::from_stored(&plain.request)?,
        epoch: Epoch { day: Day(day), generation },
        m0: EnvelopeId(plain.m0),
        seen_at: pins(&plain.seen_at),
        arrived: UnixTime(plain.arrived),
        place: plain.place,
        parts,
        complete: plain.complete,
        stage: Stage::parse(plain.stage).ok_or(StoredError::Damaged)?,
        claim: plain.claim.map(ClaimId),
        lease: plain.lease.as_ref().map(Lease::from),
        talk: plain.talk.as_ref().map(Talk::from_plain).transpose()?,
        held: plain.held.clone(),
        erase_at: pins(&plain.erase_at),
        follow_ups_done: plain.follow_ups_done,
        relays: plain.relays.map(|pin| pin.map(Pin)),
        thread: Thread::from_plain(&plain.thread, &plain.drafts, records, id, Author::Volunteer)?,
        leased_elsewhere: false,
        peer_moves_to: None,
        polled: BTreeSet::new(),
        silent: BTreeSet::new(),
        cover_wanted: false,
        fork: plain.fork.map(|(chain, n)| ForkReport { chain, n }),
        retry_at: UnixTime(0),
    };
    files::load(records, &mut case.thread)?;
    Ok(case)
}

#[derive(Deserialize, Serialize, Zeroize, ZeroizeOnDrop)]
struct CasePlain {
    request: Vec<u8>,
    epoch: (u32, u16),
    m0: [u8; 16],
    seen_at: Vec<[u8; 16]>,
    arrived: u64,
    place: u64,
    parts: Vec<PartPlain>,
    complete: bool,
    stage: u8,
    claim: Option<[u8; 16]>,
    lease: Option<LeasePlain>,
    talk: Option<TalkPlain>,
    held: Vec<u64>,
    erase_at: Vec<[u8; 16]>,
    follow_ups_done: bool,
    relays: [Option<[u8; 16]>; 2],
    drafts: Vec<DraftPlain>,
    fork: Option<(u32, u32)>,
    thread: ThreadPlain,
}

#[derive(Deserialize, Serialize, Zeroize, ZeroizeOnDrop)]
struct PartPlain {
    n: u32,
    kind: u8,
    mark: u16,
    bytes: Vec<u8>,
}

#[derive(Deserialize, Serialize, Zeroize, ZeroizeOnDrop)]
struct LeasePlain {
    relay: [u8; 16],
    token: [u8; 16],
    number: u32,
    claimed_at: u64,
    ends: u64,
}

impl From<&Case> for CasePlain {
    fn from(from: &Case) -> Self {
        let part = |(_, n, part): (u32, u32, &Part)| PartPlain {
            n,
            kind: part.kind,
            mark: part.mark.to_wire(),
            bytes: part.bytes.to_vec(),
        };
        Self {
            request: from.request.to_stored().to_vec(),
            epoch: (from.epoch.day.0, from.epoch.generation),
            m0: from.m0.0,
            seen_at: from.seen_at.iter().map(|pin| pin.0).collect(),
            arrived: from.arrived.0,
            place: from.place,
            parts: from.parts.parts().map(part).collect(),
            complete: from.complete,
            stage: from.stage.number(),
            claim: from.claim.map(|claim| claim.0),
            lease: from.lease.map(LeasePlain::from),
            talk: from.talk.as_ref().map(Talk::to_plain),
            held: from.held.clone(),
            erase_at: from.erase_at.iter().map(|pin| pin.0).collect(),
            follow_ups_done: from.follow_ups_done,
            relays: from.relays.map(|pin| pin.map(|pin| pin.0)),
            drafts: from.thread.drafts_to_plain(),
            fork: from.fork.map(|fork| (fork.chain, fork.n)),
            thread: from.thread.to_plain(),
        }
    }
}

impl From<Lease> for LeasePlain {
    fn from(from: Lease) -> Self {
        Self {
            relay: from.relay.0,
            token: from.token.0,
            number: from.number,
            claimed_at: from.claimed_at.0,
            ends: from.ends.0,
        }
    }
}

impl From<&LeasePlain> for Lease {
    fn from(plain: &LeasePlain) -> Self {
        Self {
            relay: Pin(plain.relay),
            token: LeaseToken(plain.token),
            number: plain.number,
            claimed_at: UnixTime(plain.claimed_at),
            ends: UnixTime(plain.ends),
        }
    }
}
