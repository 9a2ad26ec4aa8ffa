//! A file that is being sent (docs/spec/attachments.md §4).
//!
//! Chunks go to the first relay, sixteen under way at once; where that one is silent, or has said *stored* of none for 15
//! seconds, to the second; and to both where nothing has shown for 4 hours that the message was opened, or when one that has them
//! can't be reached for 10 minutes. Invariant: chunk i is the same bytes whenever it is sealed, because content, key and
//! nonce are kept before the first put.

use std::collections::BTreeMap;

use poterne_protocol::envelope::Class;
use poterne_protocol::kdf;
use poterne_protocol::keys::Pin;
use poterne_protocol::mailbox::WriteTo;
use poterne_protocol::op::{Answer, Payment, Put, Request};
use poterne_protocol::time::{Day, UnixTime};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::chunk_set::ChunkSet;
use super::{ChunkOutcome, ChunkPut, FileId};
use crate::attachment::{Attachable, Descriptor};
use crate::effect::CallResult;
use crate::labels;
use crate::outbox::{COPY_WHEN_SILENT_SECS, SECOND_COPY_AFTER_SECS, SECOND_RELAY_AFTER_SECS};
use crate::reach::Reach;
use crate::secret::Secret;

/// Chunks of one file under way at one relay at once.
const UNDER_WAY_MAX: usize = 16;
/// Chunks that are stored before that is kept: a crash puts so many once more, the same bytes.
const KEPT_EVERY: u32 = 16;
/// Seconds before the first repetition of a put that failed; each further one waits twice as long.
const RETRY_FIRST_SECS: u64 = 2;
/// Seconds between repetitions at most.
const RETRY_MAX_SECS: u64 = 300;

/// A file, from the draft on.
pub(super) struct Outgoing {
    pub(super) descriptor: Descriptor,
    /// The nonces of all chunks are derived from this.
    pub(super) nonces: Secret,
    /// The file, while chunks of it may have to be sealed.
    pub(super) content: Option<Zeroizing<Vec<u8>>>,
    pub(super) sending: Option<Sending>,
    /// Whether the vault has the file.
    pub(super) is_kept: bool,
}

crate::secret::silent!(Outgoing);

/// What is known since the file was announced.
pub(super) struct Sending {
    pub(super) class: Class,
    pub(super) last_day: Day,
    pub(super) places: Vec<Place>,
    /// When the last chunk was stored.
    pub(super) stored_at: Option<UnixTime>,
    /// Since when the first relay takes none, in this run.
    pub(super) stalled_since: Option<UnixTime>,
}

/// What one relay has of it.
pub(super) struct Place {
    pub(super) relay: Pin,
    pub(super) stored: ChunkSet,
    under_way: ChunkSet,
    tries: u32,
    due: UnixTime,
}

impl Place {
    pub(super) fn new(relay: Pin, stored: ChunkSet) -> Self {
        Self { relay, stored, under_way: ChunkSet::default(), tries: 0, due: UnixTime(0) }
    }

    /// How many more may be under way. A relay that has just failed is asked with one.
    fn window(&self) -> usize {
        let most = if self.tries > 0 { 1 } else { UNDER_WAY_MAX };
        most.saturating_sub(self.under_way.len() as usize)
    }

    fn note_failed(&mut self, at_least_secs: u64, now: UnixTime) {
        if now < self.due {
            return;
        }
        let backoff = (RETRY_FIRST_SECS << self.tries.min(8)).min(RETRY_MAX_SECS);
        self.tries += 1;
        self.due = now.plus(backoff.max(at_least_secs));
    }
}

impl Outgoing {
    pub(super) fn new(file: &Attachable, rng: &mut impl CryptoRng) -> Self {
        let descriptor = Descriptor::of(file.content(), file.media_type(), rng);
        Self {
            descriptor: descriptor.expect("what is attachable has a description"),
            nonces: Secret::generate(rng),
            content: Some(file.content().clone()),
            sending: None,
            is_kept: true,
        }
    }

    pub(super) fn is_kept(&self) -> bool {
        self.is_kept
    }

    pub(super) fn is_announced(&self) -> bool {
        self.sending.is_some()
    }

    /// Whether each chunk is on the disk of a relay.
    pub(super) fn is_stored(&self) -> bool {
        self.sending.as_ref().is_some_and(|sending| sending.stored_at.is_some())
    }

    /// Whether each chunk is on the disk of each relay.
    pub(super) fn is_everywhere(&self) -> bool {
        let all = self.all();
        let has_all = |place: &Place| all.without(&place.stored).is_empty();
        self.sending.as_ref().is_some_and(|sending| sending.places.iter().all(has_all))
    }

    pub(super) fn is_over(&self, now: UnixTime) -> bool {
        self.is_kept && self.sending.as_ref().is_some_and(|sending| now >= sending.last_day.end())
    }

    /// Chunks on the disk of any relay.
    pub(super) fn stored(&self) -> ChunkSet {
        let places = self.sending.iter().flat_map(|sending| &sending.places);
        places.fold(ChunkSet::default(), |all, place| all.union(&place.stored))
    }

    pub(super) fn give_up(&mut self) {
        (self.content, self.is_kept) = (None, false);
    }

    pub(super) fn begin(&mut self, class: Class, relays: &[Pin], now: UnixTime) {
        let last_day = class.last_day(now.day());
        let before: BTreeMap<Pin, ChunkSet> = self
            .sending
            .iter()
            .flat_map(|sending| &sending.places)
            .map(|place| (place.relay, place.stored))
            .collect();
        let place = |relay: &Pin| Place::new(*relay, before.get(relay).copied().unwrap_or_default());
        let places = relays.iter().map(place).collect();
        self.sending = Some(Sending { class, last_day, places, stored_at: None, stalled_since: None });
        self.note_all(now);
    }

    /// Notes when all of it is stored. Whether that is news.
    fn note_all(&mut self, now: UnixTime) -> bool {
        let is_whole = self.all().without(&self.stored()).is_empty();
        let Some(sending) = self.sending.as_mut().filter(|sending| is_whole && sending.stored_at.is_none())
        else {
            return false;
        };
        sending.stored_at = Some(now);
        true
    }

    fn all(&self) -> ChunkSet {
        ChunkSet::first(self.descriptor.count.into())
    }

    pub(super) fn take_due(
        &mut self,
        file: FileId,
        reach: &Reach,
        now: UnixTime,
        due: &mut Vec<(ChunkPut, Pin, Request)>,
    ) {
        let Some(content) = self.content.clone() else { return };
        for number in 0..self.places() {
            let chunks: Vec<u32> = self
                .work(number, reach)
                .into_iter()
                .filter(|(from, _)| *from <= now)
                .flat_map(|(_, chunks)| chunks.iter())
                .take(self.window(number))
                .collect();
            for chunk in chunks {
                let put = ChunkPut { file, place: number, chunk };
                let (relay, request) = self.put(put, &content, now);
                due.push((put, relay, request));
            }
        }
    }

    fn places(&self) -> usize {
        self.sending.as_ref().map_or(0, |sending| sending.places.len())
    }

    fn window(&self, number: usize) -> usize {
        self.sending.as_ref().map_or(0, |sending| sending.places[number].window())
    }

    fn put(&mut self, put: ChunkPut, content: &[u8], now: UnixTime) -> (Pin, Request) {
        let envelope = self.descriptor.seal_chunk(put.chunk, content, &self.nonce(put.chunk));
        let keys = self.descriptor.mailbox_of(put.chunk).keys();
        let sending = self.sending.as_mut().expect("only what was announced is put");
        if put.place == 0 {
            sending.stalled_since.get_or_insert(now);
        }
        let (class, place) = (sending.class, &mut sending.places[put.place]);
        place.under_way.insert(put.chunk);
        let to = WriteTo::plain(&keys, &place.relay);
        (place.relay, Request::Put(Put { to, class, payment: Payment::None, envelope }))
    }

    /// KDF(–, own secret, "chunk nonce", chunk)\[..24\].
    fn nonce(&self, chunk: u32) -> crate::seal::Nonce {
        *kdf::kdf(&[], self.nonces.expose(), labels::CHUNK_NONCE, &[&chunk.to_le_bytes()])
    }

    /// What is to be put at a place, and from when on.
    fn work(&self, number: usize, reach: &Reach) -> Vec<(UnixTime, ChunkSet)> {
        let Some(sending) = self.sending.as_ref().filter(|_| self.content.is_some()) else {
            return Vec::new();
        };
        let place = &sending.places[number];
        let lacks = self.all().without(&place.stored).without(&place.under_way);
        if lacks.is_empty() || place.window() == 0 {
            return Vec::new();
        }
        let stored = self.stored();
        let (fresh, copies) = (lacks.without(&stored), lacks.without(&lacks.without(&stored)));
        let fresh_from = match number {
            0 => Some(place.due),
            _ if reach.is_silent(&sending.places[0].relay) => Some(place.due),
            _ => sending.stalled_since.map(|since| since.plus(SECOND_RELAY_AFTER_SECS).max(place.due)),
        };
        let copied_from = sending.copied_from(number, reach).map(|from| from.max(place.due));
        [(fresh_from, fresh), (copied_from, copies)]
            .into_iter()
            .filter_map(|(from, chunks)| Some((from?, chunks)).filter(|(_, chunks)| !chunks.is_empty()))
            .collect()
    }

    pub(super) fn poll_timeout(&self, reach: &Reach) -> Option<UnixTime> {
        (0..self.places()).flat_map(|number| self.work(number, reach)).map(|(from, _)| from).min()
    }

    pub(super) fn handle_outcome(
        &mut self,
        put: ChunkPut,
        result: &CallResult,
        now: UnixTime,
    ) -> ChunkOutcome {
        let Some(sending) = self.sending.as_mut() else { return ChunkOutcome::Nothing };
        let Some(place) = sending.places.get_mut(put.place) else { return ChunkOutcome::Nothing };
        place.under_way.remove(put.chunk);
        match result {
            Ok(Answer::Stored) => {
                (place.tries, place.due) = (0, now);
                let is_news = place.stored.insert(put.chunk);
                let is_kept = place.stored.len().is_multiple_of(KEPT_EVERY);
                if put.place == 0 {
                    sending.stalled_since = None;
                }
                match is_news {
                    true if self.note_all(now) => return ChunkOutcome::Stored,
                    true if is_kept => return ChunkOutcome::Progress,
                    _ => {}
                }
            }
            Ok(Answer::Busy { retry_after_secs }) => place.note_failed(u64::from(*retry_after_secs), now),
            _ => place.note_failed(0, now),
        }
        ChunkOutcome::Nothing
    }

    pub(super) fn hurry(&mut self, now: UnixTime) {
        for place in self.sending.iter_mut().flat_map(|sending| &mut sending.places) {
            place.due = place.due.min(now);
        }
    }
}

impl Sending {
    /// From when on a place gets what only the others have.
    fn copied_from(&self, number: usize, reach: &Reach) -> Option<UnixTime> {
        let unopened = self.stored_at.map(|at| at.plus(SECOND_COPY_AFTER_SECS));
        let others = self.places.iter().enumerate().filter(|(other, _)| *other != number);
        let gone = others.filter_map(|(_, place)| reach.silent_since(&place.relay));
        gone.map(|since| since.plus(COPY_WHEN_SILENT_SECS)).chain(unopened).min()
    }
}
