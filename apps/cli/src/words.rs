//! One line of `shell`: a JSON array of words, or words quoted as in a POSIX shell (docs/cli.md §4).

/// The words of a line; empty where the line has none.
pub fn split(line: &str) -> Result<Vec<String>, LineError> {
    if line.trim_start().starts_with('[') {
        return serde_json::from_str(line).map_err(|_| LineError::Json);
    }
    shlex::split(line).ok_or(LineError::Quotes)
}

/// Why a line has no words.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum LineError {
    /// It begins with a bracket but is no JSON array of strings.
    #[error("the line begins with [ but is not a JSON array of strings")]
    Json,
    /// A quotation mark or backslash has no counterpart.
    #[error("a quotation mark is not closed, or a backslash stands last")]
    Quotes,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_json_array_gives_its_strings() {
        let words = split(r#" ["say", "two\nlines", "'", ""]"#);
        assert_eq!(words.unwrap(), ["say", "two\nlines", "'", ""]);
    }

    #[test]
    fn quotes_are_those_of_a_posix_shell() {
        let words = split(r#"say 'it is "so"' it\'s "a \"b\"" ''"#);
        assert_eq!(words.unwrap(), ["say", r#"it is "so""#, "it's", r#"a "b""#, ""]);
    }

    #[test]
    fn a_line_of_blanks_has_no_words() {
        assert_eq!(split(" \t"), Ok(Vec::new()));
    }

    #[test]
    fn what_is_neither_is_refused() {
        assert_eq!(split(r#"["say", 7]"#), Err(LineError::Json));
        assert_eq!(split("[say]"), Err(LineError::Json));
        assert_eq!(split("say 'open"), Err(LineError::Quotes));
    }
}
