//! Texts for people, in four languages, by Fluent (docs/cli.md §5). Codes in JSON are never translated.
//!
//! Invariant: all languages have the same messages with the same variables, and every message that the code names
//! exists; tests hold both.

use std::fmt;

use fluent::{FluentArgs, FluentBundle, FluentResource};
use poterne_client_core::passphrase;

const EN: &str = include_str!("../texts/en.ftl");
const FR: &str = include_str!("../texts/fr.ftl");
const RU: &str = include_str!("../texts/ru.ftl");
const UK: &str = include_str!("../texts/uk.ftl");

/// A language that the texts are written in.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Language {
    /// English.
    #[default]
    En,
    /// French.
    Fr,
    /// Russian.
    Ru,
    /// Ukrainian.
    Uk,
}

impl Language {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::En, Self::Fr, Self::Ru, Self::Uk];

    /// The language of `ru`, `ru-RU` or `ru_RU.UTF-8`.
    pub fn parse(text: &str) -> Option<Self> {
        let first = text.split(['-', '_', '.', '@']).next()?;
        Self::ALL.into_iter().find(|language| language.code().eq_ignore_ascii_case(first))
    }

    /// The language of the first locale variable that is set; English where it is none of ours.
    pub fn of_locale(variable: impl Fn(&str) -> Option<String>) -> Self {
        let names = ["LC_ALL", "LC_MESSAGES", "LANG"];
        let set = names.into_iter().filter_map(variable).find(|value| !value.is_empty());
        set.and_then(|value| Self::parse(&value)).unwrap_or_default()
    }

    /// Two letters (ISO 639-1).
    pub fn code(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::Fr => "fr",
            Self::Ru => "ru",
            Self::Uk => "uk",
        }
    }

    /// The list that passphrases are made from.
    pub fn of_passphrases(self) -> passphrase::Language {
        match self {
            Self::En => passphrase::Language::English,
            Self::Fr => passphrase::Language::French,
            Self::Ru => passphrase::Language::Russian,
            Self::Uk => passphrase::Language::Ukrainian,
        }
    }

    fn source(self) -> &'static str {
        match self {
            Self::En => EN,
            Self::Fr => FR,
            Self::Ru => RU,
            Self::Uk => UK,
        }
    }
}

/// The texts of one language.
pub struct Texts {
    language: Language,
    bundle: FluentBundle<FluentResource>,
}

impl Texts {
    /// The texts of that language.
    pub fn new(language: Language) -> Self {
        let locale = language.code().parse().expect("two letters are a language identifier");
        let mut bundle = FluentBundle::new(vec![locale]);
        // Marks around variables are for mixed directions of writing, which these languages don't have.
        bundle.set_use_isolating(false);
        let resource = FluentResource::try_new(language.source().to_owned());
        bundle
            .add_resource(resource.expect("the bundled texts parse"))
            .expect("the bundled texts have unique names");
        Self { language, bundle }
    }

    /// Which language they are in.
    pub fn language(&self) -> Language {
        self.language
    }

    /// The text of that name.
    pub fn say(&self, name: &str) -> String {
        self.with(name, &FluentArgs::new())
    }

    /// The text of that name with its variables filled in.
    pub fn with(&self, name: &str, variables: &FluentArgs<'_>) -> String {
        let pattern = self.bundle.get_message(name).and_then(|message| message.value());
        // A test shows that every name in the code exists; a name is still better than a panic.
        let Some(pattern) = pattern else { return name.to_owned() };
        self.bundle.format_pattern(pattern, Some(variables), &mut Vec::new()).into_owned()
    }
}

impl fmt::Debug for Texts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Texts({})", self.language.code())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};
    use std::path::Path;

    use fluent::fluent_args;
    use fluent_syntax::ast::{Entry, Expression, InlineExpression, Pattern, PatternElement};

    use super::*;
    use crate::failure::CODES;

    /// Each message with the variables that it uses.
    fn messages(language: Language) -> BTreeMap<String, BTreeSet<String>> {
        let resource = fluent_syntax::parser::parse(language.source()).expect("the texts parse");
        let message = |entry| match entry {
            Entry::Message(message) => Some(message),
            _ => None,
        };
        let messages = resource.body.into_iter().filter_map(message);
        let named = messages.map(|message| {
            let mut used = BTreeSet::new();
            collect(&message.value.expect("a message has a value"), &mut used);
            (message.id.name.to_owned(), used)
        });
        named.collect()
    }

    fn collect(pattern: &Pattern<&str>, used: &mut BTreeSet<String>) {
        for element in &pattern.elements {
            let PatternElement::Placeable { expression } = element else { continue };
            match expression {
                Expression::Inline(inline) => variable(inline, used),
                Expression::Select { selector, variants } => {
                    variable(selector, used);
                    variants.iter().for_each(|variant| collect(&variant.value, used));
                }
            }
        }
    }

    fn variable(inline: &InlineExpression<&str>, used: &mut BTreeSet<String>) {
        if let InlineExpression::VariableReference { id } = inline {
            used.insert(id.name.to_owned());
        }
    }

    #[test]
    fn all_languages_have_the_same_messages_and_variables() {
        let english = messages(Language::En);
        for language in Language::ALL {
            let other = messages(language);
            for (name, used) in &english {
                assert_eq!(other.get(name), Some(used), "{name} in {}", language.code());
            }
            assert_eq!(other.len(), english.len(), "{}", language.code());
        }
    }

    #[test]
    fn every_error_has_two_sentences_or_more_in_every_language() {
        for language in Language::ALL {
            let texts = Texts::new(language);
            for code in CODES {
                let name = format!("error-{}", code.replace('_', "-"));
                let text = texts.with(&name, &fluent_args!["message" => "It is not so."]);
                let sentences = text.matches(['.', '?', '!']).count();
                assert!(sentences >= 2, "{code} in {}: {text}", language.code());
            }
        }
    }

    #[test]
    fn every_message_is_used_and_every_used_one_exists() {
        let code = sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
        let known = messages(Language::En);
        for name in known.keys().filter(|name| !name.starts_with("error-")) {
            assert!(code.contains(&format!("\"{name}\"")), "{name} is not used");
        }
        for call in ["say(\"", "with(\""] {
            for rest in code.split(call).skip(1) {
                let name = rest.split('"').next().unwrap();
                assert!(known.contains_key(name) || name.is_empty(), "{name} does not exist");
            }
        }
        let errors: BTreeSet<String> =
            CODES.iter().map(|code| format!("error-{}", code.replace('_', "-"))).collect();
        let named: BTreeSet<String> = known.into_keys().filter(|name| name.starts_with("error-")).collect();
        assert_eq!(named, errors);
    }

    fn sources(folder: &Path) -> String {
        let mut all = String::new();
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                all.push_str(&sources(&path));
            } else {
                let text = std::fs::read_to_string(&path).unwrap();
                all.push_str(text.split("#[cfg(test)]\nmod tests").next().unwrap());
            }
        }
        all
    }

    #[test]
    fn the_locale_chooses_the_language() {
        let of = |name: &'static str, value: &'static str| {
            Language::of_locale(move |asked| (asked == name).then(|| value.to_owned()))
        };
        assert_eq!(of("LANG", "uk_UA.UTF-8"), Language::Uk);
        assert_eq!(of("LC_ALL", "fr"), Language::Fr);
        assert_eq!(of("LC_MESSAGES", "RU-ru"), Language::Ru);
        assert_eq!(of("LANG", "C.UTF-8"), Language::En);
        assert_eq!(Language::of_locale(|_| None), Language::En);
    }

    #[test]
    fn numbers_take_the_forms_of_their_language() {
        let minutes =
            |language, count: u64| Texts::new(language).with("age-minutes", &fluent_args!["count" => count]);
        assert_eq!(minutes(Language::Ru, 1), "1 минуту");
        assert_eq!(minutes(Language::Ru, 3), "3 минуты");
        assert_eq!(minutes(Language::Uk, 11), "11 хвилин");
        assert_eq!(minutes(Language::En, 1), "1 minute");
    }
}
