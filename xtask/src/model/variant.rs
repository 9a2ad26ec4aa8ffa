//! One model file and its variants.
//!
//! A line that begins with `//@a,b ` counts, without that mark, in the variants a and b only; a line that ends in ` //-a,b`
//! counts in all others. The file as it stands is the variant `none`. `// sessions: n` says how many runs of each
//! principal are searched at once.

use anyhow::Context as _;

/// The variant in which no marked line counts.
pub const NONE: &str = "none";

/// A model file, parsed.
pub struct Source {
    lines: Vec<Line>,
    variants: Vec<String>,
    queries: Vec<String>,
    sessions: u8,
}

struct Line {
    text: String,
    only_in: Vec<String>,
    not_in: Vec<String>,
}

impl Source {
    pub fn parse(text: &str) -> anyhow::Result<Self> {
        let lines: Vec<Line> = text.lines().map(Line::parse).collect();
        let mut variants = vec![NONE.to_owned()];
        for name in lines.iter().flat_map(|line| line.only_in.iter().chain(&line.not_in)) {
            if !variants.contains(name) {
                variants.push(name.clone());
            }
        }
        let sessions = text.lines().find_map(|line| line.strip_prefix("// sessions: "));
        let sessions =
            sessions.context("no line `// sessions: n`")?.parse().context("the number of sessions")?;
        let queries =
            text.lines().skip_while(|line| *line != "queries[").skip(1).take_while(|line| *line != "]");
        let queries = queries.map(|line| line.trim().to_owned()).collect();
        Ok(Self { lines, variants, queries, sessions })
    }

    /// In the order in which the file names them.
    pub fn variants(&self) -> impl Iterator<Item = &str> {
        self.variants.iter().map(String::as_str)
    }

    pub fn queries(&self) -> &[String] {
        &self.queries
    }

    pub fn sessions(&self) -> u8 {
        self.sessions
    }

    /// The file as the tool reads it, with the same line numbers.
    pub fn render(&self, variant: &str) -> String {
        let lines =
            self.lines.iter().map(|line| if line.counts_in(variant) { line.text.as_str() } else { "" });
        lines.flat_map(|line| [line, "\n"]).collect()
    }
}

impl Line {
    fn parse(line: &str) -> Self {
        if let Some((names, text)) =
            line.trim_start().strip_prefix("//@").and_then(|rest| rest.split_once(' '))
        {
            return Self { text: text.to_owned(), only_in: split(names), not_in: Vec::new() };
        }
        let (text, names) = line.rsplit_once(" //-").unwrap_or((line, ""));
        Self { text: text.to_owned(), only_in: Vec::new(), not_in: split(names) }
    }

    fn counts_in(&self, variant: &str) -> bool {
        let names = |list: &[String]| list.iter().any(|name| name == variant);
        (self.only_in.is_empty() || names(&self.only_in)) && !names(&self.not_in)
    }
}

fn split(names: &str) -> Vec<String> {
    names.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MODEL: &str = "// sessions: 2\na\n\t//@x,y leaks k\nb //-y\nqueries[\n\tconfidentiality? k\n]\n";

    #[test]
    fn a_marked_line_counts_in_its_variants_only() {
        let source = Source::parse(MODEL).unwrap();
        assert_eq!(source.variants().collect::<Vec<_>>(), ["none", "x", "y"]);
        let second_to_fourth =
            |variant| source.render(variant).lines().skip(1).take(3).collect::<Vec<_>>().join("|");
        assert_eq!(second_to_fourth(NONE), "a||b");
        assert_eq!(second_to_fourth("x"), "a|leaks k|b");
        assert_eq!(second_to_fourth("y"), "a|leaks k|");
    }

    #[test]
    fn the_file_says_its_queries_and_sessions() {
        let source = Source::parse(MODEL).unwrap();
        assert_eq!((source.sessions(), source.queries()), (2, &["confidentiality? k".to_owned()][..]));
        assert!(Source::parse("queries[\n]\n").is_err());
    }
}
