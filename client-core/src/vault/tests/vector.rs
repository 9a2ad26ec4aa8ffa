//! The frozen vault: a stored image that must open for ever, and that the writer still makes byte for byte.
//!
//! `vector-1.bin` is the image of [`made`] up to its last used page; the rest of the file is not part of it. A change
//! of the format needs a new version and a second vector beside this one, which stays.

use super::*;

const STORED: &[u8] = include_bytes!("vector-1.bin");

type Change = (&'static [u8], Option<&'static [u8]>);

fn made() -> Vault<MemoryDisk> {
    let mut vault = vault_with(tiny());
    let commits: [&[Change]; 3] = [
        &[(b"greeting", Some(b"hello")), (b"photo", Some(&[0x5A; 5000]))],
        &[(b"session/1", Some(&[0xC3; 1024])), (b"session/2", Some(&[0x3C; 1025]))],
        &[(b"greeting", None), (b"session/1", Some(b""))],
    ];
    for (seed, changes) in (20..).zip(commits) {
        let mut batch = Batch::new();
        for (key, value) in changes {
            match value {
                None => batch.delete(key),
                Some(value) => batch.put(key, value.to_vec()),
            }
        }
        vault.commit(batch, &mut rng(seed)).unwrap();
    }
    vault
}

fn stored() -> MemoryDisk {
    let mut image = STORED.to_vec();
    image.resize(tiny().file_bytes() as usize, 0);
    MemoryDisk::from_image(image)
}

#[test]
fn the_stored_image_opens_to_what_was_put_into_it() {
    let vault = Vault::open(stored(), PASSPHRASE).unwrap();
    let expected = [
        (b"photo".to_vec(), vec![0x5A; 5000]),
        (b"session/1".to_vec(), Vec::new()),
        (b"session/2".to_vec(), vec![0x3C; 1025]),
    ];
    assert_eq!(contents(&vault), expected);
    assert_eq!(vault.generation(), 4);
    assert!(!vault.was_interrupted());
}

#[test]
fn the_writer_still_makes_the_stored_image_byte_for_byte() {
    let vault = made();
    let first_difference = vault.disk.image().iter().zip(STORED).position(|(made, stored)| made != stored);
    assert_eq!(first_difference, None);
}
