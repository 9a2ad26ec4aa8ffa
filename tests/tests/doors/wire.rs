//! What the relay holds: envelopes of one size, which say nothing.

use std::collections::BTreeSet;

use poterne_tests::doors::disk::RelayDisk;
use poterne_tests::doors::home::Shell;

use crate::stage::{Stage, text};

/// Bytes of the KEM ciphertext with which a first contact begins.
const ENCAPSULATION_BYTES: usize = 1120;
/// Of each kind at least; each has 4096 bytes, or what is left without the encapsulation.
const ENVELOPES_OF_A_KIND: usize = 5;
/// Chi-square with 255 degrees of freedom passes this by chance once in 10^9 times.
const CHI_SQUARE_MAX: f64 = 407.0;

#[test]
fn every_envelope_at_the_relay_has_one_size_and_looks_random() {
    let stage = Stage::new();
    let mut seen = Seen::new(&stage);
    seen.judge("notices", 0);
    let mut people: Vec<Shell> =
        (0..ENVELOPES_OF_A_KIND).map(|number| stage.home(&format!("person{number}")).shell()).collect();
    let mut desk = stage.desk.shell();
    people.iter_mut().for_each(|person| stored(person, &["ask", &stage.card, "a"]));
    seen.judge("first contacts", ENCAPSULATION_BYTES);
    people.iter_mut().for_each(|person| stored(person, &["say", "b"]));
    seen.judge("follow-ups", 0);
    let cases: Vec<String> = people.iter().map(|_| text(&desk.run(&["claim"])["case"])).collect();
    seen.judge("receipts", 0);
    cases.iter().for_each(|case| stored(&mut desk, &["reply", case, "c"]));
    seen.judge("first answers", 0);
    for person in &mut people {
        person.run(&["inbox"]);
        stored(person, &["say", "d"]);
    }
    seen.judge("messages of requesters", 0);
    for case in &cases {
        desk.run(&["read", case]);
        stored(&mut desk, &["reply", case, "e"]);
    }
    seen.judge("messages of volunteers", 0);
    stored(&mut people[0], &["say", &"f".repeat(9000)]);
    seen.judge("parts of a long message", 0);
}

fn stored(shell: &mut Shell, words: &[&str]) {
    let answer = shell.run(words);
    assert_eq!(answer["state"], "stored", "{answer}");
}

/// What has come to the relay's disk, step by step.
struct Seen<'a> {
    stage: &'a Stage,
    known: BTreeSet<Vec<u8>>,
}

impl<'a> Seen<'a> {
    fn new(stage: &'a Stage) -> Self {
        Self { stage, known: BTreeSet::new() }
    }

    /// Judges the envelopes that are new, without their first `skipped` bytes.
    fn judge(&mut self, kind: &str, skipped: usize) {
        let disk = RelayDisk::read(self.stage.relay.folder());
        assert_eq!(disk.others, 0, "pages that are neither tables nor envelopes, with {kind}");
        let fresh: Vec<&Vec<u8>> = disk.envelopes.difference(&self.known).collect();
        assert!(fresh.len() >= ENVELOPES_OF_A_KIND, "{} {kind}", fresh.len());
        let chi_square = chi_square(fresh.iter().flat_map(|envelope| &envelope[skipped..]));
        assert!(chi_square < CHI_SQUARE_MAX, "{kind}: {chi_square}");
        for (place, count) in [0, 1, 2, 3, 4092, 4093, 4094, 4095].map(|place| (place, same(&fresh, place))) {
            assert!(count < fresh.len(), "byte {place} of all {kind} is the same");
        }
        self.known.extend(disk.envelopes);
    }
}

fn chi_square<'a>(bytes: impl Iterator<Item = &'a u8>) -> f64 {
    let mut counts = [0u32; 256];
    bytes.for_each(|byte| counts[usize::from(*byte)] += 1);
    let expected = f64::from(counts.iter().sum::<u32>()) / 256.0;
    counts.iter().map(|count| (f64::from(*count) - expected).powi(2) / expected).sum()
}

/// How many envelopes have the commonest byte at that place.
fn same(envelopes: &[&Vec<u8>], place: usize) -> usize {
    let count = |byte: u8| envelopes.iter().filter(|envelope| envelope[place] == byte).count();
    envelopes.iter().map(|envelope| count(envelope[place])).max().unwrap_or(0)
}
