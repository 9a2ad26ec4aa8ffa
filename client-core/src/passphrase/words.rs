//! The four word lists, and how a typed word finds its place in one (docs/spec/passphrase.md §2).
//!
//! Each list has 2048 words, sorted by their folded form: small letters without accents and dots, so that й counts as
//! и, ї as і, é as e. The first four letters of that form are different for any two words of a list. Lists are frozen:
//! the number of a word goes into the check word.

use zeroize::Zeroizing;

/// Words in a list.
pub(super) const LIST_WORDS: u16 = 2048;

/// Letters that tell the words of a list apart.
const PREFIX_LETTERS: usize = 4;

const ENGLISH: &str = include_str!("en.txt");
const FRENCH: &str = include_str!("fr.txt");
const RUSSIAN: &str = include_str!("ru.txt");
const UKRAINIAN: &str = include_str!("uk.txt");

/// The language of a phrase.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Language {
    /// BIP-39's English list.
    English,
    /// BIP-39's French list.
    French,
    /// Our Russian list.
    Russian,
    /// Our Ukrainian list.
    Ukrainian,
}

impl Language {
    /// Every language that there is a list for.
    pub const ALL: [Self; 4] = [Self::English, Self::French, Self::Russian, Self::Ukrainian];

    /// Two small letters (ISO 639-1).
    pub fn code(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::French => "fr",
            Self::Russian => "ru",
            Self::Ukrainian => "uk",
        }
    }

    /// The language of a code, if there is a list for it.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|language| language.code() == code)
    }

    fn words(self) -> impl Iterator<Item = &'static str> {
        match self {
            Self::English => ENGLISH.lines(),
            Self::French => FRENCH.lines(),
            Self::Russian => RUSSIAN.lines(),
            Self::Ukrainian => UKRAINIAN.lines(),
        }
    }
}

/// The only word of the list that the typed beginning can become; `None` while there are several, or where none is.
pub fn complete(language: Language, typed: &str) -> Option<&'static str> {
    let typed = fold(typed.trim());
    let mut fitting = language.words().filter(|word| begins(word, &typed));
    let first = fitting.next()?;
    if fitting.next().is_none() { Some(first) } else { None }
}

/// The folded words of a text; whatever is not a letter separates.
pub(super) fn split(text: &str) -> Vec<Zeroizing<String>> {
    let folded = fold(text);
    let words = folded.split(|letter: char| !letter.is_alphabetic()).filter(|word| !word.is_empty());
    words.map(|word| Zeroizing::new(word.to_owned())).collect()
}

/// The place of a folded word that was typed whole, or to its fourth letter or further.
pub(super) fn number(language: Language, typed: &str) -> Option<u16> {
    let long_enough = typed.chars().count() >= PREFIX_LETTERS;
    let is_whole = |word: &str| letters(word).eq(typed.chars());
    let fits = |word: &str| begins(word, typed) && (long_enough || is_whole(word));
    (0..).zip(language.words()).find(|(_, word)| fits(word)).map(|(number, _)| number)
}

/// The word that begins with the same four letters.
pub(super) fn similar(language: Language, typed: &str) -> Option<&'static str> {
    let prefix: Zeroizing<String> = Zeroizing::new(typed.chars().take(PREFIX_LETTERS).collect());
    if prefix.chars().count() < PREFIX_LETTERS {
        return None;
    }
    language.words().find(|word| begins(word, &prefix))
}

/// The word at a place below 2048.
pub(super) fn word(language: Language, number: u16) -> &'static str {
    language.words().nth(usize::from(number)).expect("a list has 2048 words")
}

/// Small letters without what may be typed in two ways.
fn fold(text: &str) -> Zeroizing<String> {
    let mut folded = Zeroizing::new(String::with_capacity(2 * text.len()));
    folded.extend(letters(text));
    folded
}

/// Whether a word's folded form begins with a folded text.
fn begins(word: &str, folded: &str) -> bool {
    let mut letters = letters(word);
    folded.chars().all(|letter| letters.next() == Some(letter))
}

/// The letters of the folded form, one by one.
fn letters(text: &str) -> impl Iterator<Item = char> {
    text.chars().flat_map(char::to_lowercase).filter(|letter| !is_combining(*letter)).map(base)
}

/// Unicode's block of combining diacritical marks: what a decomposed accent is made of.
fn is_combining(letter: char) -> bool {
    ('\u{300}'..='\u{36F}').contains(&letter)
}

fn base(letter: char) -> char {
    match letter {
        'à' | 'â' | 'ä' => 'a',
        'ç' => 'c',
        'é' | 'è' | 'ê' | 'ë' => 'e',
        'î' | 'ï' => 'i',
        'ô' | 'ö' => 'o',
        'ù' | 'û' | 'ü' => 'u',
        'ё' => 'е',
        'й' => 'и',
        'ї' => 'і',
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use poterne_protocol::kdf::hash;

    use super::*;

    const OURS: [(Language, &str); 2] = [
        (Language::Russian, "абвгдежзийклмнопрстуфхцчшщъыьэюя"),
        (Language::Ukrainian, "абвгдежзийклмнопрстуфхцчшщьюяєії"),
    ];

    fn list(language: Language) -> Vec<&'static str> {
        language.words().collect()
    }

    #[test]
    fn a_list_has_2048_words_in_order_and_four_letters_tell_them_apart() {
        for language in Language::ALL {
            let folded: Vec<_> = language.words().map(|word| fold(word).to_string()).collect();
            assert_eq!(folded.len(), usize::from(LIST_WORDS));
            assert!(folded.windows(2).all(|pair| pair[0] < pair[1]), "{language:?} is in order");
            let prefixes: BTreeSet<String> =
                folded.iter().map(|word| word.chars().take(4).collect()).collect();
            assert_eq!(prefixes.len(), folded.len(), "{language:?}");
        }
    }

    #[test]
    fn our_words_have_four_to_eight_letters_of_their_alphabet() {
        for (language, alphabet) in OURS {
            for word in list(language) {
                assert!((4..=8).contains(&word.chars().count()), "{word}");
                assert!(word.chars().all(|letter| alphabet.contains(letter)), "{word}");
            }
        }
    }

    #[test]
    fn words_of_the_other_lists_have_three_to_eight_small_letters() {
        for language in [Language::English, Language::French] {
            for word in list(language) {
                assert!((3..=8).contains(&word.chars().count()), "{word}");
                assert!(fold(word).chars().all(|letter| letter.is_ascii_lowercase()), "{word}");
                assert_eq!(word.to_lowercase(), word);
            }
        }
    }

    #[test]
    fn no_word_of_ours_can_be_read_in_latin_letters_or_in_the_other_list() {
        let looks_latin = |word: &&str| word.chars().all(|letter| "аеіорсухј".contains(letter));
        for (language, _) in OURS {
            assert_eq!(list(language).into_iter().find(looks_latin), None);
        }
        let russian: BTreeSet<_> = list(Language::Russian).into_iter().collect();
        assert_eq!(list(Language::Ukrainian).into_iter().find(|word| russian.contains(word)), None);
    }

    #[test]
    fn the_lists_are_frozen() {
        // The first is the well-known digest of BIP-39's english.txt.
        let digests = [ENGLISH, FRENCH, RUSSIAN, UKRAINIAN].map(|list| {
            hash(&[list.as_bytes()])[..8].iter().map(|byte| format!("{byte:02x}")).collect::<String>()
        });
        assert_eq!(digests, ["2f5eed53a4727b4b", "431c1d074225d2b7", "d9323e2521b5c678", "bcceb9f3c5ecf697"]);
    }

    #[test]
    fn a_beginning_is_completed_when_only_one_word_is_left() {
        assert_eq!(complete(Language::English, "aban"), Some("abandon"));
        assert_eq!(complete(Language::English, "ab"), None);
        assert_eq!(complete(Language::English, "xyzw"), None);
    }

    #[test]
    fn a_word_shorter_than_four_letters_must_be_whole() {
        let number_of =
            |typed| number(Language::English, typed).map(|number| word(Language::English, number));
        assert_eq!(number_of("act"), Some("act"));
        assert_eq!(number_of("aba"), None);
    }

    #[test]
    fn a_code_names_its_language() {
        assert!(Language::ALL.iter().all(|language| Language::from_code(language.code()) == Some(*language)));
        assert_eq!(Language::from_code("de"), None);
    }
}
