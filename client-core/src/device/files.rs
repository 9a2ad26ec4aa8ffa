//! Files of a device's cases: what is drafted, put, fetched and shown (docs/spec/attachments.md).
//!
//! What a requester has announced before the conversation was bound may be needed by another device: its chunks are
//! fetched, and erased only after her first message.

use poterne_protocol::keys::Pin;
use poterne_protocol::time::UnixTime;
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::case::{Case, Stage};
use super::{Device, Purpose};
use crate::effect::CallResult;
use crate::files::room::{self, NoRoom, Room};
use crate::files::{
    self, ChunkOutcome, ChunkPut, ContentError, FileId, FileSource, FileView, Holder, Letter,
};
use crate::records::{LocalId, Records};
use crate::thread::Thread;
use crate::vault::Batch;
use crate::watch::{self, Watched};

impl Device {
    /// How large the vault is: a device that was just made has the smallest until it is told.
    pub fn note_capacity(&mut self, records: &impl Records) {
        self.room = Room::of(records.capacity_bytes());
    }

    /// The files of a case, own ones and the requester's.
    pub fn files(&self, case: LocalId) -> Vec<FileView> {
        self.cases.get(&case).map(|case| case.thread.files.views()).unwrap_or_default()
    }

    /// What goes with each own text that waits to be sealed, in the order of [`Device::drafts`].
    pub fn draft_files(&self, case: LocalId) -> Vec<Option<FileId>> {
        let all = self.cases.get(&case).into_iter().flat_map(|case| &case.thread.drafts);
        all.map(|draft| draft.file).collect()
    }

    /// The content of a file of the requester's, when all of it is here.
    pub fn file_content(
        &self,
        case: LocalId,
        file: FileId,
        records: &impl Records,
    ) -> Result<Zeroizing<Vec<u8>>, ContentError> {
        let found = self.cases.get(&case).ok_or(ContentError::Missing)?;
        found.thread.files.content(records, case, file)
    }

    /// The shell has written a file out durably: it may make room for others.
    pub fn note_saved(&mut self, case: LocalId, file: FileId) {
        let Some(found) = self.cases.get_mut(&case) else { return };
        if found.thread.files.note_saved(file) {
            self.save_files(case, Batch::new());
        }
    }

    /// Keeps a text, and what goes with it, until it may be sealed.
    pub(super) fn write_draft(
        &mut self,
        id: LocalId,
        letter: Letter,
        now: UnixTime,
        rng: &mut impl CryptoRng,
    ) -> Result<(), NoRoom> {
        let mut batch = Batch::new();
        if let Some(file) = letter.file {
            room::for_own(&mut self.cases, self.room, file.content().len(), &mut batch)?;
        }
        let Some(case) = self.cases.get_mut(&id) else { return Ok(()) };
        case.thread.write_draft(letter, now, rng, &mut batch);
        self.save(id, batch);
        Ok(())
    }

    /// Puts what is known of a case's files and `batch` into one commit.
    fn save_files(&mut self, id: LocalId, mut batch: Batch) {
        if let Some(case) = self.cases.get(&id) {
            files::write(&mut batch, &case.thread);
        }
        self.effects.save(batch);
    }

    pub(super) fn put_chunks(&mut self, now: UnixTime) {
        for (id, case) in &mut self.cases {
            for (put, relay, request) in case.thread.take_due_chunks(now, &self.reach) {
                let purpose = Purpose::Chunk { case: *id, put };
                self.effects.push(self.calls.begin(relay, request, purpose));
            }
        }
    }

    pub(super) fn handle_chunk(&mut self, id: LocalId, put: ChunkPut, result: &CallResult, now: UnixTime) {
        let Some(case) = self.cases.get_mut(&id) else { return };
        match case.thread.files.handle_outcome(put, result, now) {
            ChunkOutcome::Nothing => {}
            ChunkOutcome::Progress => self.save_files(id, Batch::new()),
            ChunkOutcome::Stored => {
                case.thread.note_stored();
                self.save(id, Batch::new());
                self.settle_through(id);
            }
        }
    }

    pub(super) fn poll_files(&mut self, now: UnixTime) {
        for id in self.cases.keys().copied().collect::<Vec<_>>() {
            self.poll_files_of(id, now);
        }
    }

    fn poll_files_of(&mut self, id: LocalId, now: UnixTime) {
        let relays = self.cases.get(&id).filter(|case| Holder::is_active(*case));
        let Some(relays) =
            relays.map(|case| case.thread.files.reading_relays()).filter(|some| !some.is_empty())
        else {
            return;
        };
        let mut batch = Batch::new();
        room::admit(&mut self.cases, self.room, id, &mut batch);
        if !batch.is_empty() {
            self.effects.save(batch);
        }
        for relay in relays {
            if self.calls.any(|pin, purpose| *pin == relay && purpose.is_of_files(id)) {
                continue;
            }
            let Some(case) = self.cases.get_mut(&id) else { return };
            let may_erase = case.is_bound();
            for (watched, request) in watch::in_fetches(case.thread.files.poll(relay, may_erase, now)) {
                self.call(relay, request, Purpose::Files { case: id, watched });
            }
        }
    }

    pub(super) fn handle_files(
        &mut self,
        id: LocalId,
        relay: Pin,
        watched: Vec<Watched<FileSource>>,
        result: CallResult,
    ) {
        let Some(case) = self.cases.get_mut(&id) else { return };
        let files = &mut case.thread.files;
        let Ok(answer) = result else {
            return files.note_silent(relay, watched.into_iter().map(|one| one.source));
        };
        let Some(digest) = files.digest(id, relay, watched, answer) else { return };
        if let Some(batch) = digest.save {
            self.save_files(id, batch);
        }
        for request in digest.erase {
            self.call(relay, request, Purpose::ChunksErased { case: id });
        }
        for (watched, request) in digest.more {
            self.call(relay, request, Purpose::Files { case: id, watched });
        }
    }

    pub(super) fn handle_chunks_erased(&mut self, id: LocalId, relay: Pin, result: &CallResult) {
        if let (Some(case), Ok(_)) = (self.cases.get_mut(&id), result) {
            case.thread.files.look_again(&relay);
        }
    }
}

impl Purpose {
    /// Whether it fetches or erases chunks of that case.
    fn is_of_files(&self, of: LocalId) -> bool {
        matches!(self, Self::Files { case, .. } | Self::ChunksErased { case } if *case == of)
    }
}

impl Holder for Case {
    fn thread(&self) -> &Thread {
        &self.thread
    }

    fn thread_mut(&mut self) -> &mut Thread {
        &mut self.thread
    }

    fn is_active(&self) -> bool {
        !matches!(self.stage, Stage::Gone | Stage::Waiting)
    }
}
