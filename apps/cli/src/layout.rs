//! Texts in lines that fit a terminal, broken between words.
//!
//! Invariant: a line that fits stays as it is, and a word is never broken, so that a card can be copied whole.

use textwrap::{Options, WordSplitter};

/// Columns below which a line is not broken any more: the terminal does not tell the truth, or nobody can read it.
const COLUMNS_MIN: usize = 20;

/// The text with its long lines broken; the rest of a line keeps the distance from the left that it began with.
pub fn fitted(text: &str, columns: Option<usize>) -> String {
    let Some(columns) = columns.filter(|columns| *columns >= COLUMNS_MIN) else { return text.to_owned() };
    text.split_inclusive('\n').map(|line| broken(line, columns)).collect()
}

fn broken(line: &str, columns: usize) -> String {
    let content = line.trim_end_matches('\n');
    if textwrap::core::display_width(content) <= columns {
        return line.to_owned();
    }
    let indent = &content[..content.len() - content.trim_start_matches(' ').len()];
    let options = Options::new(columns).break_words(false).word_splitter(WordSplitter::NoHyphenation);
    let lines = textwrap::wrap(content, options.subsequent_indent(indent));
    format!("{}{}", lines.join("\n"), &line[content.len()..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_line_is_broken_between_words_and_keeps_its_indent() {
        let text = "    permit true finger sand rare\nshort\n";
        assert_eq!(fitted(text, Some(22)), "    permit true finger\n    sand rare\nshort\n");
    }

    #[test]
    fn a_word_that_is_longer_than_a_line_stays_whole() {
        let card = format!("poterne:{}", "x".repeat(100));
        assert_eq!(fitted(&format!("This is it: {card}\n"), Some(40)), format!("This is it:\n{card}\n"));
    }

    #[test]
    fn what_fits_stays_as_it_is() {
        let text = "A question: \n\n  two  \nКоманда «poterne inbox» — ось";
        assert_eq!(fitted(text, Some(40)), text);
        assert_eq!(fitted(&"long ".repeat(50), None), "long ".repeat(50));
        assert_eq!(fitted(&"long ".repeat(50), Some(3)), "long ".repeat(50));
    }
}
