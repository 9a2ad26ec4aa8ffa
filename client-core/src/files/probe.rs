//! For the tests of the workspace, with the feature `vectors` only: the record of a conversation's files, out of any bytes.

use poterne_protocol::envelope::Class;
use poterne_protocol::keys::Pin;
use poterne_protocol::time::{Day, UnixTime};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::incoming::{Incoming, Stage};
use super::stored::{FilesPlain, VERSION};
use super::{FileId, Files};
use crate::attachment::{Attachable, Descriptor, FILE_BYTES_MAX, OTHER_TYPE};
use crate::records::{LocalId, Records};
use crate::stored::{self, StoredError};
use crate::vault::Batch;

/// A vault that holds nothing else.
struct Nothing;

impl Records for Nothing {
    fn record(&self, _key: &[u8]) -> Result<Option<Zeroizing<Vec<u8>>>, StoredError> {
        Ok(None)
    }

    fn keys_with(&self, _prefix: &[u8]) -> Vec<Vec<u8>> {
        Vec::new()
    }

    fn capacity_bytes(&self) -> usize {
        0
    }
}

/// What is read is written, and read again, as it was.
pub(crate) fn record(bytes: &[u8]) {
    let Some(files) = load(bytes) else { return };
    let written = save(&files);
    let again = load(&written).expect("what was written can be read");
    assert_eq!(*save(&again), *written);
    files.incoming.values().for_each(|one| assert!(one.reserved_bytes() < 2 * FILE_BYTES_MAX));
}

fn load(bytes: &[u8]) -> Option<Files> {
    let plain: FilesPlain = stored::load(VERSION, bytes).ok()?;
    plain.files(&Nothing, LocalId([0; 8])).ok()
}

fn save(files: &Files) -> Zeroizing<Vec<u8>> {
    let plain = FilesPlain {
        drafts: vec![None],
        sent: vec![],
        outgoing: files.outgoing.values().map(Into::into).collect(),
        incoming: files.incoming.values().map(Into::into).collect(),
        saved: files.saved,
    };
    stored::save(VERSION, &plain)
}

/// True bytes: files that are sent, one of them announced, and some that came.
pub(crate) fn true_record(rng: &mut impl CryptoRng) -> Zeroizing<Vec<u8>> {
    let mut files = Files { saved: 1, ..Files::default() };
    let file = Attachable::new(Zeroizing::new(b"a form".to_vec()), OTHER_TYPE).expect("a small file");
    for is_announced in [true, false] {
        let name = files.add(LocalId([0; 8]), &file, rng, &mut Batch::new());
        if is_announced {
            files.begin(name, Class::THIRTY, &[Pin([1; 16]), Pin([2; 16])], UnixTime(0));
        }
    }
    files.outgoing.values_mut().for_each(|outgoing| outgoing.is_kept = false);
    for stage in [Stage::Fetching, Stage::Complete, Stage::Saved(1), Stage::Removed, Stage::Expired] {
        let descriptor = Descriptor::of(b"a form", OTHER_TYPE, rng).expect("a small file");
        let name = FileId::of(&descriptor);
        let incoming = Incoming::new(descriptor, vec![Pin([1; 16])], Day(7), true);
        files.incoming.insert(name, Incoming { stage, ..incoming });
    }
    save(&files)
}
