//! Files in a conversation as it is shown, and writing them out (docs/cli.md §3.1, §7).

use std::path::{Path, PathBuf};

use poterne_client_core::device::Device;
use poterne_client_core::files::{ContentError, FileId, FileState, FileView};
use poterne_client_core::records::{LocalId, Records};
use poterne_client_core::requester::Requester;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::failure::Failure;
use crate::save;
use crate::texts::Texts;

/// A machine that has files.
pub trait HasFiles {
    /// All files of a conversation or case.
    fn views(&self, id: LocalId) -> Vec<FileView>;
    /// The content of one of the other side's.
    fn content(
        &self,
        id: LocalId,
        file: FileId,
        records: &impl Records,
    ) -> Result<Zeroizing<Vec<u8>>, ContentError>;
    /// It is written out.
    fn note_saved(&mut self, id: LocalId, file: FileId);
}

/// One file, with what became of it in this run.
#[derive(Clone, Debug)]
pub struct ShownFile {
    view: FileView,
    is_changed: bool,
    saved: Option<PathBuf>,
}

impl ShownFile {
    /// Whether it is this one.
    pub fn is(&self, file: FileId) -> bool {
        self.view.file == file
    }

    /// For scripts.
    pub fn json(&self) -> Value {
        let FileView { file, media_type, bytes, done, of, .. } = &self.view;
        let mut json = json!({
            "id": file.to_string(),
            "media_type": media_type,
            "bytes": bytes,
            "state": self.code(),
            "parts": [done, of],
        });
        if let Some(path) = &self.saved {
            json["saved"] = json!(path.display().to_string());
        }
        json
    }

    fn code(&self) -> &'static str {
        match self.view.state {
            _ if self.is_changed => "damaged",
            FileState::Arriving => "arriving",
            FileState::Complete => "complete",
            FileState::Damaged => "damaged",
            FileState::Expired => "expired",
            FileState::NoRoom => "no_room",
            FileState::Removed => "removed",
            FileState::Saved => "saved",
            FileState::Sending => "sending",
            FileState::Stored => "stored",
        }
    }

    /// For people: one line, without what the other side calls it.
    pub fn people(&self, texts: &Texts) -> String {
        let kind = match self.view.media_type.as_str() {
            "image/jpeg" => texts.say("file-photo"),
            _ => texts.say("file-other"),
        };
        let how = match &self.saved {
            Some(path) => {
                texts.with("file-saved", &fluent::fluent_args!["path" => path.display().to_string()])
            }
            None => self.in_words(texts),
        };
        format!("[{kind}, {} KB: {how}]", self.view.bytes.div_ceil(1000))
    }

    fn in_words(&self, texts: &Texts) -> String {
        let parts = fluent::fluent_args!["done" => self.view.done, "of" => self.view.of];
        match self.code() {
            "arriving" => texts.with("file-arriving", &parts),
            "complete" => texts.say("file-complete"),
            "damaged" => texts.say("file-damaged"),
            "expired" => texts.say("file-expired"),
            "no_room" => texts.say("file-no-room"),
            "removed" => texts.say("file-removed"),
            "saved" => texts.say("file-saved-before"),
            "sending" => texts.with("file-sending", &parts),
            _ => texts.say("file-stored"),
        }
    }
}

/// The files of a conversation. Where a folder is named, those of the other side are written into it first.
pub fn shown(
    machine: &mut impl HasFiles,
    records: &impl Records,
    id: LocalId,
    folder: Option<&Path>,
) -> Result<Vec<ShownFile>, Failure> {
    let views = machine.views(id);
    let shown = |view: FileView| {
        let mut shown = ShownFile { view, is_changed: false, saved: None };
        if let Some(folder) = folder {
            write_out(machine, records, id, folder, &mut shown)?;
        }
        Ok(shown)
    };
    views.into_iter().map(shown).collect()
}

fn write_out(
    machine: &mut impl HasFiles,
    records: &impl Records,
    id: LocalId,
    folder: &Path,
    shown: &mut ShownFile,
) -> Result<(), Failure> {
    if !matches!(shown.view.state, FileState::Complete | FileState::Saved) {
        return Ok(());
    }
    match machine.content(id, shown.view.file, records) {
        Ok(content) => {
            let path = save::save(folder, shown.view.file, &shown.view.media_type, &content)?;
            machine.note_saved(id, shown.view.file);
            (shown.view.state, shown.saved) = (FileState::Saved, Some(path));
        }
        Err(ContentError::Changed) => shown.is_changed = true,
        Err(ContentError::Missing) => {}
        Err(ContentError::Stored(error)) => return Err(error.into()),
    }
    Ok(())
}

impl HasFiles for Requester {
    fn views(&self, id: LocalId) -> Vec<FileView> {
        self.files(id)
    }

    fn content(
        &self,
        id: LocalId,
        file: FileId,
        records: &impl Records,
    ) -> Result<Zeroizing<Vec<u8>>, ContentError> {
        self.file_content(id, file, records)
    }

    fn note_saved(&mut self, id: LocalId, file: FileId) {
        Self::note_saved(self, id, file);
    }
}

impl HasFiles for Device {
    fn views(&self, id: LocalId) -> Vec<FileView> {
        self.files(id)
    }

    fn content(
        &self,
        id: LocalId,
        file: FileId,
        records: &impl Records,
    ) -> Result<Zeroizing<Vec<u8>>, ContentError> {
        self.file_content(id, file, records)
    }

    fn note_saved(&mut self, id: LocalId, file: FileId) {
        Self::note_saved(self, id, file);
    }
}
