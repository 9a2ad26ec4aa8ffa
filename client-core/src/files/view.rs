//! What people are shown of files, and their content (docs/spec/attachments.md §7).

use zeroize::Zeroizing;

use super::incoming::{Incoming, Stage};
use super::outgoing::Outgoing;
use super::{FileId, Files};
use crate::attachment::{Descriptor, FileError};
use crate::records::{self, LocalId, Records};
use crate::stored::StoredError;

/// How far a file has come.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum FileState {
    /// Chunks of the other side's file are missing so far.
    Arriving,
    /// The other side's file is here.
    Complete,
    /// Something lies in its place at the relay that does not open; the chunks may still come.
    Damaged,
    /// Its time ran out before all of it was here.
    Expired,
    /// It waits at the relay, since files have no more room in the vault: those that are here are to be saved first.
    NoRoom,
    /// The other side's file was saved, and made room for others.
    Removed,
    /// The other side's file was saved, and is still here.
    Saved,
    /// Chunks of an own file are not stored yet.
    Sending,
    /// All of an own file was stored at a relay.
    Stored,
}

/// One file of a conversation.
#[derive(Clone, Debug)]
pub struct FileView {
    /// Its name.
    pub file: FileId,
    /// Whether it is an own one.
    pub is_own: bool,
    /// As in `image/jpeg`, in the words of whoever sent it.
    pub media_type: String,
    /// Its length.
    pub bytes: u32,
    /// How far it has come.
    pub state: FileState,
    /// Chunks that are where they should be.
    pub done: u32,
    /// Chunks that there are.
    pub of: u32,
}

/// Why the content of a file is not to be had.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ContentError {
    /// It is not the file that was announced.
    #[error("the file is not the one that was announced")]
    Changed,
    /// Not all of it is here, or no more.
    #[error("the file is not here")]
    Missing,
    /// The vault can't be read.
    #[error(transparent)]
    Stored(#[from] StoredError),
}

impl Files {
    /// All files of the conversation.
    pub(crate) fn views(&self) -> Vec<FileView> {
        let own = self.outgoing.iter().map(|(file, outgoing)| outgoing.view(*file));
        let theirs = self.incoming.iter().map(|(file, incoming)| incoming.view(*file));
        own.chain(theirs).collect()
    }

    /// Chunks of transfers under way that are done, and how many there are.
    pub(crate) fn progress(&self) -> (u32, u32) {
        let views = self.views().into_iter();
        let moving = views.filter(|view| matches!(view.state, FileState::Arriving | FileState::Sending));
        moving.fold((0, 0), |(done, of), view| (done + view.done, of + view.of))
    }

    /// The content of a file of the other side, when all of it is here.
    pub(crate) fn content(
        &self,
        records: &impl Records,
        id: LocalId,
        file: FileId,
    ) -> Result<Zeroizing<Vec<u8>>, ContentError> {
        let whole = self.incoming.get(&file);
        let whole = whole.filter(|one| matches!(one.stage, Stage::Complete | Stage::Saved(_)));
        content(records, id, file, &whole.ok_or(ContentError::Missing)?.descriptor)
    }
}

/// The content of a file out of its records.
pub(super) fn content(
    records: &impl Records,
    id: LocalId,
    file: FileId,
    descriptor: &Descriptor,
) -> Result<Zeroizing<Vec<u8>>, ContentError> {
    let chunks = 0..u16::try_from(descriptor.filled()).expect("a file has at most 259 chunks");
    let piece = |chunk| {
        let piece = records.record(&records::piece_key(id, file.0, chunk))?;
        piece.ok_or(ContentError::Missing)
    };
    let pieces = chunks.map(piece).collect::<Result<Vec<_>, _>>()?;
    descriptor.join(&pieces).map_err(|error| match error {
        FileError::Changed => ContentError::Changed,
        FileError::Chunk { .. } => ContentError::Missing,
    })
}

impl Outgoing {
    fn view(&self, file: FileId) -> FileView {
        let is_stored = self.is_stored();
        let of = u32::from(self.descriptor.count);
        let state = match self.is_kept {
            _ if is_stored => FileState::Stored,
            true => FileState::Sending,
            false => FileState::Expired,
        };
        let done = if is_stored { of } else { self.stored().len() };
        FileView {
            file,
            is_own: true,
            media_type: self.descriptor.media_type.clone(),
            bytes: self.descriptor.length,
            state,
            done,
            of,
        }
    }
}

impl Incoming {
    fn view(&self, file: FileId) -> FileView {
        let state = match self.stage {
            Stage::Complete => FileState::Complete,
            Stage::Expired => FileState::Expired,
            Stage::Fetching if self.is_damaged => FileState::Damaged,
            Stage::Fetching if !self.is_admitted => FileState::NoRoom,
            Stage::Fetching => FileState::Arriving,
            Stage::Removed => FileState::Removed,
            Stage::Saved(_) => FileState::Saved,
        };
        FileView {
            file,
            is_own: false,
            media_type: self.descriptor.media_type.clone(),
            bytes: self.descriptor.length,
            state,
            done: self.have.len(),
            of: self.descriptor.filled(),
        }
    }
}
