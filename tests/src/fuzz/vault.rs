//! A vault file from somebody else's hands: any bytes, true pages changed, moved and taken from an older copy.
//!
//! Opening may refuse; it never gives a value that was not stored, and what it lacks it says.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use poterne_client_core::vault::memory::MemoryDisk;
use poterne_client_core::vault::{Batch, PAGE_BYTES, Params, Vault};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

use super::dice::Dice;

const PASSPHRASE: &[u8] = b"the passphrase of the farm";
const STEPS_MAX: usize = 8;

/// Two states of one vault, the second three commits younger.
struct Images {
    older: Vec<u8>,
    newer: Vec<u8>,
    /// Everything that was ever stored, by key.
    values: BTreeMap<Vec<u8>, Vec<Vec<u8>>>,
}

fn images() -> &'static Images {
    static IMAGES: OnceLock<Images> = OnceLock::new();
    IMAGES.get_or_init(|| {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let params = Params::new(8, 1, 1, 32).expect("within the bounds");
        let disk = MemoryDisk::new(params.file_bytes());
        let mut vault = Vault::format(disk, params, PASSPHRASE, &mut rng).expect("an empty disk");
        let mut values = BTreeMap::<_, Vec<Vec<u8>>>::new();
        let mut put = |vault: &mut Vault<MemoryDisk>, key: &[u8], value: Vec<u8>| {
            values.entry(key.to_vec()).or_default().push(value.clone());
            let mut batch = Batch::new();
            batch.put(key, value);
            vault.commit(batch, &mut rng).expect("the vault has room");
        };
        put(&mut vault, b"paged", vec![1; 6000]);
        put(&mut vault, b"inline", vec![2; 300]);
        let older = vault.into_disk();
        let mut vault = Vault::open(older.clone(), PASSPHRASE).expect("it was just made");
        put(&mut vault, b"inline", vec![3; 200]);
        put(&mut vault, b"more", vec![4; 3000]);
        put(&mut vault, b"paged", vec![5; 5000]);
        let newer = vault.into_disk().image().to_vec();
        Images { older: older.image().to_vec(), newer, values }
    })
}

pub(super) fn vault(bytes: &[u8]) {
    let mut dice = Dice::new(bytes);
    if dice.byte() == 0 {
        assert!(Vault::open(MemoryDisk::from_image(bytes.to_vec()), PASSPHRASE).is_err());
        return;
    }
    let Images { older, newer, .. } = images();
    let mut image = newer.clone();
    for _ in 0..STEPS_MAX {
        if dice.is_empty() {
            break;
        }
        mutate(&mut image, older, &mut dice);
    }
    read(image);
}

fn mutate(image: &mut Vec<u8>, older: &[u8], dice: &mut Dice) {
    let pages = image.len() / PAGE_BYTES;
    match dice.byte() % 5 {
        0 => {
            let bit = dice.below(PAGE_BYTES * 8);
            let page = dice.below(pages.max(1));
            if let Some(byte) = image.get_mut(page * PAGE_BYTES + bit / 8) {
                *byte ^= 1 << (bit % 8);
            }
        }
        1 => {
            let (at, own) = (dice.below(image.len().clamp(1, 65_535)), dice.bytes(64));
            let end = image.len().min(at + own.len());
            image[at..end].copy_from_slice(&own[..end - at]);
        }
        2 if pages > 1 => {
            let (from, to) = (dice.below(pages) * PAGE_BYTES, dice.below(pages) * PAGE_BYTES);
            image.copy_within(from..from + PAGE_BYTES, to);
        }
        3 if pages > 1 => {
            let at = dice.below(pages) * PAGE_BYTES;
            image[at..at + PAGE_BYTES].copy_from_slice(&older[at..at + PAGE_BYTES]);
        }
        4 => {
            let left = image.len().saturating_sub(dice.below(65_535));
            image.truncate(left);
        }
        _ => {}
    }
}

/// Opens and salvages, and looks at every value; then writes, where that can be.
fn read(image: Vec<u8>) {
    if let Ok(vault) = Vault::salvage(MemoryDisk::from_image(image.clone()), PASSPHRASE) {
        judge(&vault);
    }
    let Ok(mut vault) = Vault::open(MemoryDisk::from_image(image), PASSPHRASE) else { return };
    judge(&vault);
    let mut batch = Batch::new();
    batch.put(b"late", vec![6; 100]);
    if vault.commit(batch, &mut ChaCha20Rng::seed_from_u64(2)).is_ok() {
        let vault = Vault::open(vault.into_disk(), PASSPHRASE).expect("what was committed opens");
        let late = vault.get(b"late").expect("it was just written").expect("it was just put");
        assert_eq!(*late, vec![6; 100]);
    }
}

fn judge(vault: &Vault<MemoryDisk>) {
    for key in vault.keys(b"") {
        let Ok(Some(value)) = vault.get(key) else { continue };
        let stored = images().values.get(key).expect("a key that was never stored");
        assert!(stored.contains(&value), "a value that was never stored");
    }
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    vec![
        vec![0, 1, 2, 3],
        vec![1, 0, 9, 9, 3, 0],
        vec![1, 3, 3, 0, 3, 4, 0, 2, 5, 0, 6, 0],
        vec![1, 2, 3, 0, 4, 0, 1, 0, 32, 4, 0, 1, 2, 3, 4],
        vec![1, 4, 0, 16],
    ]
}
