//! Verdicts, as the tool reports them and as `results.txt` keeps them: one line `model/variant holds|attack query`.

/// What the search says of a query.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// It shows an execution that breaks it.
    Attack,
    /// It finds none within its bounds.
    Holds,
}

impl Verdict {
    fn word(self) -> &'static str {
        match self {
            Self::Attack => "attack",
            Self::Holds => "holds ",
        }
    }
}

/// The verdict of each query: the last line of a report has a letter and a digit for each.
pub fn verdicts(queries: &[String], report: &str) -> Option<Vec<(Verdict, String)>> {
    let code = report.lines().rev().find(|line| !line.trim().is_empty())?.trim();
    let digits: Vec<char> = code.chars().skip(1).step_by(2).collect();
    if digits.len() != queries.len() || code.len() != 2 * queries.len() {
        return None;
    }
    digits.iter().zip(queries).map(|(digit, query)| Some((verdict(*digit)?, query.clone()))).collect()
}

fn verdict(digit: char) -> Option<Verdict> {
    match digit {
        '0' => Some(Verdict::Holds),
        '1' => Some(Verdict::Attack),
        _ => None,
    }
}

/// The lines of `results.txt` for one variant.
pub fn lines_of(model: &str, variant: &str, verdicts: &[(Verdict, String)]) -> Vec<String> {
    let line = |(verdict, query): &(Verdict, String)| format!("{model}/{variant} {} {query}", verdict.word());
    verdicts.iter().map(line).collect()
}

/// What was found and not recorded, and, where everything was run, what was recorded and not found.
pub fn differences(recorded: &str, found: &[String], everything: bool) -> Vec<String> {
    let recorded: Vec<&str> = recorded.lines().collect();
    let new =
        found.iter().filter(|line| !recorded.contains(&line.as_str())).map(|line| format!("new:  {line}"));
    let gone = recorded.iter().filter(|line| everything && !found.iter().any(|one| one == *line));
    new.chain(gone.map(|line| format!("gone: {line}"))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queries() -> Vec<String> {
        vec!["confidentiality? m".to_owned(), "authentication? A -> B: e".to_owned()]
    }

    #[test]
    fn the_last_line_of_a_report_is_its_verdicts() {
        let found = verdicts(&queries(), "FAIL x\n\nc0a1\n").unwrap();
        let expected = ["m/v holds  confidentiality? m", "m/v attack authentication? A -> B: e"];
        assert_eq!(lines_of("m", "v", &found), expected);
    }

    #[test]
    fn a_report_without_verdicts_is_none() {
        for report in ["", "c0\n", "c0a1c0\n", "c0a2\n", "Verification completed\n"] {
            assert_eq!(verdicts(&queries(), report), None, "{report}");
        }
    }

    #[test]
    fn a_changed_verdict_and_a_lost_query_are_differences() {
        let found = ["m/v attack q".to_owned()];
        assert_eq!(differences("m/v attack q\n", &found, true), [""; 0]);
        assert_eq!(differences("m/v holds  q\n", &found, true), ["new:  m/v attack q", "gone: m/v holds  q"]);
        assert_eq!(differences("m/v attack q\nm/w holds  q\n", &found, false), [""; 0]);
    }
}
