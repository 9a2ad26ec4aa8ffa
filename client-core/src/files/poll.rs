//! Asking relays for chunks (docs/spec/attachments.md §5).
//!
//! Chunks are fetched apart from messages, so that sealing never waits for a photo. Files that were asked for least come
//! first: one that never arrives keeps no other from arriving.

use std::collections::BTreeSet;

use poterne_protocol::envelope::EnvelopeId;
use poterne_protocol::keys::Pin;
use poterne_protocol::op::{Answer, Fetched, Request};
use poterne_protocol::time::UnixTime;

use super::incoming::Incoming;
use super::{FileId, Files};
use crate::records::LocalId;
use crate::vault::Batch;
use crate::watch::{self, Watched};

/// Seconds between two looks for chunks while the program runs.
const POLL_SECS: u64 = 30;
/// Mailboxes that one look at a relay asks for at most, for one conversation: a megabyte has five.
const RUNS_AT_ONCE: usize = 16;

/// The mailbox of one run of one file.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct FileSource {
    pub(crate) file: FileId,
    pub(crate) run: u32,
}

/// What follows from a fetch: first the save, then the rest.
pub(crate) struct Digest {
    /// Chunks for the vault; the record of the files belongs to them.
    pub(crate) save: Option<Batch>,
    pub(crate) erase: Vec<Request>,
    pub(crate) more: Vec<(Vec<Watched<FileSource>>, Request)>,
}

impl Files {
    /// The mailboxes to fetch from a relay now. `may_erase`: nobody else needs what was shared any more.
    pub(crate) fn poll(&mut self, relay: Pin, may_erase: bool, now: UnixTime) -> Vec<Watched<FileSource>> {
        if self.poll_due.get(&relay).is_some_and(|due| now < *due) {
            return Vec::new();
        }
        self.poll_due.remove(&relay);
        let mut wanted = self.wanted(&relay, may_erase);
        wanted.sort_by_key(|(tried, source)| (*tried, source.file, source.run));
        wanted.truncate(RUNS_AT_ONCE);
        if !wanted.is_empty() {
            self.poll_due.insert(relay, now.plus(POLL_SECS));
        }
        wanted.into_iter().filter_map(|(_, source)| self.watched(source, &relay, may_erase)).collect()
    }

    fn wanted(&self, relay: &Pin, may_erase: bool) -> Vec<(u32, FileSource)> {
        let runs = |(file, incoming): (&FileId, &Incoming)| {
            let (file, tried) = (*file, incoming.tried);
            let runs = incoming.wanted_runs(relay, may_erase).into_iter();
            runs.map(move |run| (tried, FileSource { file, run })).collect::<Vec<_>>()
        };
        self.incoming.iter().flat_map(runs).collect()
    }

    fn watched(&mut self, source: FileSource, relay: &Pin, may_erase: bool) -> Option<Watched<FileSource>> {
        let incoming = self.incoming.get_mut(&source.file)?;
        incoming.tried += 1;
        let mailbox = incoming.descriptor.mailbox_of(source.run * crate::attachment::RUN_CHUNKS);
        let may_erase = may_erase || !incoming.is_shared;
        let watch = if may_erase { Watched::drained } else { Watched::looked_at };
        Some(watch(source, &mailbox, relay))
    }

    /// The relays at which some file is still looked for.
    pub(crate) fn reading_relays(&self) -> BTreeSet<Pin> {
        let open = self.incoming.values().filter(|incoming| incoming.is_open());
        open.flat_map(|incoming| incoming.relays.iter().copied()).collect()
    }

    /// Takes in the answer to a fetch. `None` when it is not one to a fetch of these.
    pub(crate) fn digest(
        &mut self,
        id: LocalId,
        relay: Pin,
        watched: Vec<Watched<FileSource>>,
        answer: Answer,
    ) -> Option<Digest> {
        let (mut batch, mut changed) = (Batch::new(), false);
        let (mut erase, mut more) = (Vec::new(), Vec::new());
        for (watched, fetched) in watch::found(watched, answer)? {
            let (ids, is_news) = self.take(id, relay, watched.source, &fetched, &mut batch);
            changed |= is_news;
            erase.extend(watch::erase(&watched, &ids));
            more.extend(watch::go_on(watched, &fetched));
        }
        Some(Digest { save: changed.then_some(batch), erase, more: watch::in_fetches(more) })
    }

    /// Takes in what a fetch found in one mailbox. What to erase there, and whether anything has changed.
    fn take(
        &mut self,
        id: LocalId,
        relay: Pin,
        source: FileSource,
        fetched: &Fetched,
        batch: &mut Batch,
    ) -> (BTreeSet<EnvelopeId>, bool) {
        let Some(incoming) = self.incoming.get_mut(&source.file) else { return (BTreeSet::new(), false) };
        incoming.looked.insert(relay);
        let (erase, changed) = incoming.take((id, source.file), source.run, &fetched.envelopes, batch);
        let is_empty = erase.is_empty() && !fetched.more;
        let is_clear = is_empty && incoming.note_empty(relay, source.run);
        (erase, changed || is_clear)
    }

    /// Chunks were erased there: it is to be seen whether more has come, or nothing is left.
    pub(crate) fn look_again(&mut self, relay: &Pin) {
        self.poll_due.remove(relay);
    }

    /// That relay can't be asked now: another one may have it.
    pub(crate) fn note_silent(&mut self, relay: Pin, sources: impl Iterator<Item = FileSource>) {
        for source in sources {
            if let Some(incoming) = self.incoming.get_mut(&source.file) {
                incoming.looked.insert(relay);
            }
        }
    }
}
