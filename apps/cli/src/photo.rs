//! Photos made anew from their pixels (docs/cli.md §7, docs/spec/attachments.md §3).
//!
//! JPEG, PNG and WebP are decoded within bounds on pixels and memory, turned as their orientation says, made smaller, and
//! encoded as a JPEG without any segment that a picture does not need. Invariant: nothing of the file but its pixels gets
//! into the result. Deliberately absent: colour profiles (colours may shift a little) and all other formats.

#[cfg(feature = "photo")]
mod encode;

use poterne_client_core::attachment::is_heic;
use zeroize::Zeroizing;

use crate::failure::Failure;

/// The photo as it may be sent.
#[cfg(feature = "photo")]
pub fn reencoded(file: &[u8]) -> Result<Zeroizing<Vec<u8>>, Failure> {
    if is_heic(file) { Err(Failure::PhotoUnknown) } else { encode::reencoded(file) }
}

/// Without the feature `photo` nothing is decoded: only a JPEG that is bare and small already may be sent.
#[cfg(not(feature = "photo"))]
pub fn reencoded(file: &[u8]) -> Result<Zeroizing<Vec<u8>>, Failure> {
    use poterne_client_core::attachment::jpeg;
    match jpeg::check(file) {
        Ok(_) if !is_heic(file) => Ok(Zeroizing::new(file.to_vec())),
        _ => Err(Failure::PhotoUnknown),
    }
}
