//! Files of a requester's conversations: what is drafted, put, fetched and shown (docs/spec/attachments.md).

use poterne_protocol::keys::Pin;
use poterne_protocol::op::Answer;
use poterne_protocol::time::UnixTime;
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::conversation::Conversation;
use super::{Purpose, Requester, SayError};
use crate::effect::CallResult;
use crate::files::{
    self, ChunkOutcome, ChunkPut, ContentError, FileId, FileSource, FileView, Holder, Letter, room,
};
use crate::records::{LocalId, Records};
use crate::thread::Thread;
use crate::vault::Batch;
use crate::watch::{self, Watched};

impl Requester {
    /// The files of a conversation, own ones and the volunteer's.
    pub fn files(&self, id: LocalId) -> Vec<FileView> {
        self.conversations.get(&id).map(|conversation| conversation.thread.files.views()).unwrap_or_default()
    }

    /// What goes with each own text that waits to be sealed, in the order of [`Requester::drafts`].
    pub fn draft_files(&self, id: LocalId) -> Vec<Option<FileId>> {
        let all =
            self.conversations.get(&id).into_iter().flat_map(|conversation| &conversation.thread.drafts);
        all.map(|draft| draft.file).collect()
    }

    /// The content of a file of the volunteer's, when all of it is here.
    pub fn file_content(
        &self,
        id: LocalId,
        file: FileId,
        records: &impl Records,
    ) -> Result<Zeroizing<Vec<u8>>, ContentError> {
        let conversation = self.conversations.get(&id).ok_or(ContentError::Missing)?;
        conversation.thread.files.content(records, id, file)
    }

    /// The shell has written a file out durably: it may make room for others.
    pub fn note_saved(&mut self, id: LocalId, file: FileId) {
        let Some(conversation) = self.conversations.get_mut(&id) else { return };
        if conversation.thread.files.note_saved(file) {
            self.save_files(id, Batch::new());
        }
    }

    /// Makes room for what goes with a text.
    pub(super) fn make_room(&mut self, letter: Letter, batch: &mut Batch) -> Result<(), SayError> {
        let Some(file) = letter.file else { return Ok(()) };
        let made = room::for_own(&mut self.conversations, self.room, file.content().len(), batch);
        made.map_err(|_| SayError::FileRoom)
    }

    /// Keeps a text, and what goes with it, until it may be sealed.
    pub(super) fn write_draft(
        &mut self,
        id: LocalId,
        letter: Letter,
        now: UnixTime,
        rng: &mut impl CryptoRng,
    ) -> Result<(), SayError> {
        let mut batch = Batch::new();
        self.make_room(letter, &mut batch)?;
        let conversation = self.conversations.get_mut(&id).ok_or(SayError::Unknown)?;
        conversation.thread.write_draft(letter, now, rng, &mut batch);
        self.save(id, batch);
        Ok(())
    }

    /// Puts what is known of a conversation's files and `batch` into one commit.
    fn save_files(&mut self, id: LocalId, mut batch: Batch) {
        if let Some(conversation) = self.conversations.get(&id) {
            files::write(&mut batch, &conversation.thread);
        }
        self.effects.save(batch);
    }

    pub(super) fn put_chunks(&mut self, id: LocalId, now: UnixTime) {
        let Some(conversation) = self.conversations.get_mut(&id) else { return };
        for (put, relay, request) in conversation.thread.take_due_chunks(now, &self.reach) {
            self.effects.push(self.calls.begin(relay, request, Purpose::Chunk { id, put }));
        }
    }

    pub(super) fn handle_chunk(&mut self, id: LocalId, put: ChunkPut, result: &CallResult, now: UnixTime) {
        let Some(conversation) = self.conversations.get_mut(&id) else { return };
        if matches!(result, Ok(Answer::Price { .. })) {
            conversation.run.price_wanted = true;
        }
        match conversation.thread.files.handle_outcome(put, result, now) {
            ChunkOutcome::Nothing => {}
            ChunkOutcome::Progress => self.save_files(id, Batch::new()),
            ChunkOutcome::Stored => {
                conversation.thread.note_stored();
                self.save(id, Batch::new());
            }
        }
    }

    pub(super) fn poll_files(&mut self, id: LocalId, now: UnixTime) {
        let mut batch = Batch::new();
        room::admit(&mut self.conversations, self.room, id, &mut batch);
        if !batch.is_empty() {
            self.effects.save(batch);
        }
        let Some(conversation) = self.conversations.get_mut(&id) else { return };
        for relay in conversation.thread.files.reading_relays() {
            if self.calls.any(|pin, purpose| *pin == relay && purpose.is_of_files(id)) {
                continue;
            }
            for (watched, request) in watch::in_fetches(conversation.thread.files.poll(relay, true, now)) {
                self.effects.push(self.calls.begin(relay, request, Purpose::Files { id, watched }));
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
        let Some(conversation) = self.conversations.get_mut(&id) else { return };
        let files = &mut conversation.thread.files;
        let Ok(answer) = result else {
            return files.note_silent(relay, watched.into_iter().map(|one| one.source));
        };
        let Some(digest) = files.digest(id, relay, watched, answer) else { return };
        if let Some(batch) = digest.save {
            self.save_files(id, batch);
        }
        for request in digest.erase {
            self.effects.push(self.calls.begin(relay, request, Purpose::ChunksErased { id }));
        }
        for (watched, request) in digest.more {
            self.effects.push(self.calls.begin(relay, request, Purpose::Files { id, watched }));
        }
    }

    pub(super) fn handle_chunks_erased(&mut self, id: LocalId, relay: Pin, result: &CallResult) {
        if let (Some(conversation), Ok(_)) = (self.conversations.get_mut(&id), result) {
            conversation.thread.files.look_again(&relay);
        }
    }
}

impl Purpose {
    /// Whether it fetches or erases chunks of that conversation.
    fn is_of_files(&self, of: LocalId) -> bool {
        matches!(self, Self::Files { id, .. } | Self::ChunksErased { id } if *id == of)
    }
}

impl Holder for Conversation {
    fn thread(&self) -> &Thread {
        &self.thread
    }

    fn thread_mut(&mut self) -> &mut Thread {
        &mut self.thread
    }

    fn is_active(&self) -> bool {
        true
    }
}
