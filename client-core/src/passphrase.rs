//! Passphrases that we offer, and the rule for a person's own (docs/spec/passphrase.md).
//!
//! A generated phrase is eight words of a list of 2048: seven drawn at random (77 bits) and one that checks them. What
//! a person types of it may lack accents, capitals and everything behind the fourth letter of a word; the canonical
//! form is what a key is derived from.
//!
//! Deliberately absent: a guess at how strong a person's own passphrase is. A meter would praise what lists of
//! passwords hold.

mod words;

use poterne_protocol::kdf;
use rand_core::CryptoRng;
use zeroize::Zeroizing;

pub use self::words::{Language, complete};

/// Words of a generated phrase, the check word included.
pub const PHRASE_WORDS: usize = 8;
/// Bits of chance in a generated phrase.
pub const PHRASE_BITS: usize = 11 * RANDOM_WORDS;
/// A person's own passphrase has at least this many characters.
pub const OWN_CHARACTERS_MIN: usize = 12;

const RANDOM_WORDS: usize = PHRASE_WORDS - 1;
/// What the hash behind the check word begins with, after "poterne/1 ".
const CHECK_CONTEXT: &[u8] = b"passphrase check";

/// A fresh phrase: eight words of the list, one space between.
pub fn generate(language: Language, rng: &mut impl CryptoRng) -> Zeroizing<String> {
    let mut drawn = Zeroizing::new([0; 2 * RANDOM_WORDS]);
    rng.fill_bytes(&mut drawn[..]);
    let mut numbers = Zeroizing::new([0; PHRASE_WORDS]);
    for (number, bytes) in numbers.iter_mut().zip(drawn.chunks_exact(2)) {
        *number = u16::from_le_bytes([bytes[0], bytes[1]]) % words::LIST_WORDS;
    }
    numbers[RANDOM_WORDS] = check_number(language, &numbers[..RANDOM_WORDS]);
    join(language, &numbers[..])
}

/// Judges a typed phrase: its canonical form, if every word is known and the last one checks the others.
pub fn check(language: Language, text: &str) -> Result<Zeroizing<String>, PhraseError> {
    let typed = words::split(text);
    if typed.len() != PHRASE_WORDS {
        return Err(PhraseError::WordCount { actual: typed.len() });
    }
    let mut numbers = Zeroizing::new([0; PHRASE_WORDS]);
    for (place, word) in typed.iter().enumerate() {
        let unknown =
            PhraseError::UnknownWord { position: place + 1, similar: words::similar(language, word) };
        numbers[place] = words::number(language, word).ok_or(unknown)?;
    }
    if check_number(language, &numbers[..RANDOM_WORDS]) != numbers[RANDOM_WORDS] {
        return Err(PhraseError::CheckWord);
    }
    Ok(join(language, &numbers[..]))
}

/// Whether a passphrase of a person's own choice is long enough; it is used as it was typed.
pub fn accept_own(text: &str) -> Result<(), OwnPassphraseError> {
    let actual = text.chars().count();
    if actual < OWN_CHARACTERS_MIN { Err(OwnPassphraseError::Length { actual }) } else { Ok(()) }
}

/// The first 11 bits of a hash over the language and the numbers of the words.
fn check_number(language: Language, numbers: &[u16]) -> u16 {
    let mut bytes = Zeroizing::new(Vec::with_capacity(2 * RANDOM_WORDS));
    bytes.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
    let hash = Zeroizing::new(kdf::hash(&[kdf::CONTEXT, CHECK_CONTEXT, language.code().as_bytes(), &bytes]));
    u16::from_be_bytes([hash[0], hash[1]]) >> 5
}

fn join(language: Language, numbers: &[u16]) -> Zeroizing<String> {
    // Eight words of at most eight letters of two bytes: the string never moves and leaves no copy behind.
    let mut phrase = Zeroizing::new(String::with_capacity(PHRASE_WORDS * 17));
    for number in numbers {
        if !phrase.is_empty() {
            phrase.push(' ');
        }
        phrase.push_str(words::word(language, *number));
    }
    phrase
}

/// A typed text that is no generated phrase.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum PhraseError {
    /// All words are known, but together they are not a phrase: one is another than it was, or two changed places.
    #[error("the words do not belong together")]
    CheckWord,
    /// A word is not in the list.
    #[error("word {position} is not in the list")]
    UnknownWord {
        /// Which word, counted from 1.
        position: usize,
        /// The word of the list that begins with the same four letters, if there is one.
        similar: Option<&'static str>,
    },
    /// A phrase has eight words.
    #[error("{actual} words instead of 8")]
    WordCount {
        /// How many there were.
        actual: usize,
    },
}

/// A passphrase of a person's own choice that is not taken.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum OwnPassphraseError {
    /// It has fewer than 12 characters.
    #[error("{actual} characters instead of at least 12")]
    Length {
        /// How many it has.
        actual: usize,
    },
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};

    use super::*;

    fn phrase(language: Language, seed: u64) -> Zeroizing<String> {
        generate(language, &mut ChaCha20Rng::seed_from_u64(seed))
    }

    #[test]
    fn a_phrase_has_eight_words_and_77_bits() {
        assert_eq!(phrase(Language::English, 1).split(' ').count(), 8);
        assert_eq!(PHRASE_BITS, 77);
    }

    #[test]
    fn the_phrase_of_a_seed_never_changes() {
        let phrases = Language::ALL.map(|language| phrase(language, 7).to_string());
        let expected = [
            "permit true finger sand rare science people catalog",
            "navire tenaille éolien potion papoter présence nature aubaine",
            "промысел хмель корень скипетр рукав сложение проезд ошибка",
            "приціл хвіст картка сесія речовина система природа онук",
        ];
        assert_eq!(phrases, expected);
    }

    #[test]
    fn a_generated_phrase_is_its_own_canonical_form() {
        for language in Language::ALL {
            for seed in 0..50 {
                let phrase = phrase(language, seed);
                assert_eq!(*check(language, &phrase).unwrap(), *phrase);
            }
        }
    }

    #[test]
    fn four_letters_of_each_word_are_enough() {
        for language in Language::ALL {
            let phrase = phrase(language, 3);
            let short: Vec<String> = phrase.split(' ').map(|word| word.chars().take(4).collect()).collect();
            assert_eq!(*check(language, &short.join(" ")).unwrap(), *phrase);
        }
    }

    #[test]
    fn capitals_line_breaks_and_stray_signs_do_not_matter() {
        let phrase = phrase(Language::Ukrainian, 4);
        let typed = format!("  {}\n", phrase.to_uppercase().replace(' ', " -\n"));
        assert_eq!(*check(Language::Ukrainian, &typed).unwrap(), *phrase);
    }

    #[test]
    fn accents_may_be_missing_or_typed_apart() {
        let typed = ["académie", "academie", "acade\u{301}mie", "ACADÉMIE"];
        let numbers = typed.map(|word| words::number(Language::French, &words::split(word)[0]));
        assert!(numbers.iter().all(|number| number.is_some() && *number == numbers[0]));
    }

    #[test]
    fn an_unknown_word_is_named_by_its_place() {
        let phrase = phrase(Language::English, 5);
        let mut typed: Vec<&str> = phrase.split(' ').collect();
        typed[2] = "abandom";
        let expected = PhraseError::UnknownWord { position: 3, similar: Some("abandon") };
        assert_eq!(check(Language::English, &typed.join(" ")).unwrap_err(), expected);
        typed[2] = "qqqq";
        let expected = PhraseError::UnknownWord { position: 3, similar: None };
        assert_eq!(check(Language::English, &typed.join(" ")).unwrap_err(), expected);
    }

    #[test]
    fn two_words_that_changed_places_are_noticed() {
        let phrase = phrase(Language::Russian, 6);
        let mut typed: Vec<&str> = phrase.split(' ').collect();
        typed.swap(1, 4);
        assert_eq!(check(Language::Russian, &typed.join(" ")).unwrap_err(), PhraseError::CheckWord);
    }

    #[test]
    fn a_phrase_of_another_length_is_counted() {
        let error = check(Language::English, "abandon ability").unwrap_err();
        assert_eq!(error, PhraseError::WordCount { actual: 2 });
        assert_eq!(check(Language::English, "").unwrap_err(), PhraseError::WordCount { actual: 0 });
    }

    #[test]
    fn an_own_passphrase_is_taken_from_12_characters_on() {
        assert_eq!(accept_own("одинадцять!"), Err(OwnPassphraseError::Length { actual: 11 }));
        assert_eq!(accept_own("одинадцять!!"), Ok(()));
    }

    proptest! {
        #[test]
        fn checking_survives_any_text(text: String) {
            for language in Language::ALL {
                let _ = check(language, &text);
                let _ = complete(language, &text);
            }
        }
    }
}
