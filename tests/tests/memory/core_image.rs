//! Looks for secrets in a core image.

use std::collections::{BTreeSet, HashMap};

/// Bytes in a row that count as a find: chance gives none in a gigabyte.
pub const WINDOW_BYTES: usize = 8;
/// Bits of the sieve that most windows of the image fail at once.
const SIEVE_BITS: u32 = 20;

/// Every window of every secret, by its bytes.
pub struct Windows {
    secrets: Vec<Vec<u8>>,
    /// Number of the secret, and where in it the window begins.
    places: HashMap<u64, (usize, usize)>,
    sieve: Vec<bool>,
}

impl Windows {
    /// The windows of these secrets. What has fewer than four different bytes is no secret's.
    pub fn of(secrets: &[Vec<u8>]) -> Self {
        let (mut places, mut sieve) = (HashMap::new(), vec![false; 1 << SIEVE_BITS]);
        for (number, secret) in secrets.iter().enumerate() {
            for (at, window) in secret.windows(WINDOW_BYTES).enumerate() {
                let different: BTreeSet<&u8> = window.iter().collect();
                if different.len() >= 4 {
                    let value = value(window);
                    places.insert(value, (number, at));
                    sieve[place(value)] = true;
                }
            }
        }
        Self { secrets: secrets.to_vec(), places, sieve }
    }

    /// The secret of which these bytes begin with so many in a row; with all, where it is shorter.
    fn at(&self, bytes: &[u8], in_a_row: usize) -> Option<usize> {
        let value = value(&bytes[..WINDOW_BYTES]);
        let (number, at) = *self.places.get(&value).filter(|_| self.sieve[place(value)])?;
        let secret = &self.secrets[number];
        let wanted = secret.get(at..at + in_a_row.min(secret.len()))?;
        bytes.starts_with(wanted).then_some(number)
    }
}

fn value(window: &[u8]) -> u64 {
    u64::from_le_bytes(window.try_into().expect("8 bytes"))
}

fn place(value: u64) -> usize {
    (value.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> (64 - SIEVE_BITS)) as usize
}

/// The numbers of the secrets of which so many bytes in a row stand in `image`.
pub fn scan(image: &[u8], windows: &Windows, in_a_row: usize) -> BTreeSet<usize> {
    let starts = 0..(image.len() + 1).saturating_sub(WINDOW_BYTES);
    starts.filter_map(|at| windows.at(&image[at..], in_a_row)).collect()
}

#[test]
fn eight_bytes_of_a_secret_are_found_anywhere() {
    let secret: Vec<u8> = (100..132).collect();
    let windows = Windows::of(&[vec![9; 32], secret.clone()]);
    let mut image = vec![9; 5000];
    assert!(scan(&image, &windows, WINDOW_BYTES).is_empty());
    image[4001..4009].copy_from_slice(&secret[20..28]);
    assert_eq!(scan(&image, &windows, WINDOW_BYTES), BTreeSet::from([1]));
}

#[test]
fn more_bytes_in_a_row_are_more_than_their_windows() {
    let secret: Vec<u8> = (100..160).collect();
    let windows = Windows::of(&[secret.clone(), (1..=9).collect()]);
    let image = [&secret[30..59], &[0; 5], &secret[3..40]].concat();
    assert_eq!(scan(&image, &windows, 32), BTreeSet::from([0]));
    assert!(scan(&image[..60], &windows, 32).is_empty());
    assert_eq!(scan(&(0..50).collect::<Vec<u8>>(), &windows, 32), BTreeSet::from([1]));
}
