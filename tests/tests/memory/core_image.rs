//! Looks for secrets in a core image.

use std::collections::{BTreeSet, HashMap};

/// Bytes in a row that count as a find: chance gives none in a gigabyte.
const WINDOW_BYTES: usize = 8;
/// Bits of the sieve that most windows of the image fail at once.
const SIEVE_BITS: u32 = 20;

/// Every window of every secret, by its bytes.
pub struct Windows {
    secrets: HashMap<u64, usize>,
    sieve: Vec<bool>,
}

impl Windows {
    /// The windows of these secrets. What has fewer than four different bytes is no secret's.
    pub fn of(secrets: &[Vec<u8>]) -> Self {
        let (mut found, mut sieve) = (HashMap::new(), vec![false; 1 << SIEVE_BITS]);
        for (number, secret) in secrets.iter().enumerate() {
            for window in secret.windows(WINDOW_BYTES) {
                let different: BTreeSet<&u8> = window.iter().collect();
                if different.len() >= 4 {
                    let value = value(window);
                    found.insert(value, number);
                    sieve[place(value)] = true;
                }
            }
        }
        Self { secrets: found, sieve }
    }
}

fn value(window: &[u8]) -> u64 {
    u64::from_le_bytes(window.try_into().expect("8 bytes"))
}

fn place(value: u64) -> usize {
    (value.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> (64 - SIEVE_BITS)) as usize
}

/// The numbers of the secrets of which a window stands in `image`.
pub fn scan(image: &[u8], windows: &Windows) -> BTreeSet<usize> {
    let mut found = BTreeSet::new();
    for window in image.windows(WINDOW_BYTES) {
        let value = value(window);
        if windows.sieve[place(value)] {
            found.extend(windows.secrets.get(&value));
        }
    }
    found
}

#[test]
fn eight_bytes_of_a_secret_are_found_anywhere() {
    let secret: Vec<u8> = (100..132).collect();
    let windows = Windows::of(&[vec![9; 32], secret.clone()]);
    let mut image = vec![9; 5000];
    assert!(scan(&image, &windows).is_empty());
    image[4001..4009].copy_from_slice(&secret[20..28]);
    assert_eq!(scan(&image, &windows), BTreeSet::from([1]));
}
