//! The parsers of the client: what other people sealed, and what a vault gives back.

use poterne_client_core::passphrase::{self, Language};
use poterne_client_core::probe;

pub(super) use probe::{
    annex, attachment, body, certificates, first_contact, headers, log_entry, notice_head,
};
pub(super) use probe::{short_layouts, stored_states};

/// A typed passphrase, in every language.
pub(super) fn passphrase(bytes: &[u8]) {
    let Ok(text) = core::str::from_utf8(bytes) else { return };
    let _ = passphrase::accept_own(text);
    for language in Language::ALL {
        let _ = passphrase::complete(language, text);
        if let Ok(canonical) = passphrase::check(language, text) {
            assert_eq!(passphrase::check(language, &canonical).as_ref(), Ok(&canonical));
        }
    }
}

pub(super) fn passphrase_seeds() -> Vec<Vec<u8>> {
    [
        "permit true finger sand rare science people catalog",
        "navire tenaille éolien potion papoter présence nature aubaine",
        "промысел хмель корень скипетр рукав сложение проезд ошибка",
        "приціл хвіст картка сесія речовина система природа онук",
        "perm TRUE fing sand rare scie peop cata",
    ]
    .map(|text| text.as_bytes().to_vec())
    .to_vec()
}

/// True bytes for the probe of that name.
pub(super) fn seeds(probe: &str) -> Vec<Vec<u8>> {
    probe::true_bytes().into_iter().filter(|(name, _)| *name == probe).map(|(_, bytes)| bytes).collect()
}
