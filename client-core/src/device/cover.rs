//! Cover on a volunteer's side (docs/spec/client.md §9).

use poterne_protocol::time::UnixTime;
use rand_core::CryptoRng;

use super::Device;
use super::case::{Case, Stage};
use crate::cover::CoverError;
use crate::records::LocalId;
use crate::vault::Batch;

impl Device {
    /// Sends a message that says nothing, as soon as one may be sealed. A text that is sealed before takes its place.
    pub fn cover(
        &mut self,
        case: LocalId,
        now: UnixTime,
        rng: &mut impl CryptoRng,
    ) -> Result<(), CoverError> {
        let now = self.clock.time(now);
        let found = self.cases.get_mut(&case).ok_or(CoverError::Unknown)?;
        if found.stage != Stage::Talking {
            return Err(CoverError::NotOpen);
        }
        found.talk.as_ref().ok_or(CoverError::NotOpen)?.takes_cover()?;
        found.cover_wanted = true;
        self.step(now, rng);
        Ok(())
    }

    /// Whether all that was sealed in a case is on the disk of a relay, and no cover waits to be sealed.
    pub fn is_settled(&self, case: LocalId) -> bool {
        let found = self.cases.get(&case);
        found.is_none_or(|case| !case.cover_wanted && case.thread.outbox.is_settled())
    }
}

impl Case {
    /// Seals a cover message if one is wanted. Whether anything was sealed.
    pub(super) fn seal_cover(&mut self, now: UnixTime, rng: &mut impl CryptoRng, batch: &mut Batch) -> bool {
        if !std::mem::take(&mut self.cover_wanted) {
            return false;
        }
        let sealed = self.talk.as_mut().and_then(|talk| talk.seal_cover(rng));
        sealed.is_some_and(|sealed| !self.push_sealed(sealed, now, batch).is_empty())
    }
}
