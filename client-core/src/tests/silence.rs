//! What people write, keys and identifiers show in no `Debug` output.

use core::fmt::Debug;

use zeroize::Zeroizing;

use crate::body::parts::Assembler;
use crate::body::{Body, Part, PartMark};
use crate::fixture::{Asked, Pair, TODAY, ask, pair};
use crate::vectors::samples;

const CANARY: &str = "канарейка 4815162342";

fn is_silent(value: &dyn Debug) {
    let shown = format!("{value:?}");
    assert!(!shown.contains("канар") && !shown.contains("4815162342"), "{shown}");
    assert!(!shown.contains(", ") || shown.len() < 400, "{shown}");
    let bytes: Vec<String> = CANARY.bytes().take(4).map(|byte| byte.to_string()).collect();
    assert!(!shown.contains(&bytes.join(", ")), "{shown}");
}

#[test]
fn states_are_silent() {
    let Asked { desk, pending, opened, .. } = ask(1);
    let Pair { requester, first, .. } = pair(1);
    is_silent(&pending);
    is_silent(&opened);
    is_silent(&opened.lifeline());
    is_silent(&pending.answer_box());
    is_silent(&desk.device.identity);
    is_silent(&desk.seed);
    is_silent(&desk.coordinator);
    is_silent(&desk.draft(1, None));
    is_silent(&requester);
    is_silent(&first);
    is_silent(&pending.open_answer(&first.envelope, TODAY));
}

#[test]
fn bodies_are_silent() {
    let text = Zeroizing::new(CANARY.to_owned());
    is_silent(&Body::Text(text));
    samples().iter().for_each(|body| is_silent(body));
    let bytes = Zeroizing::new(CANARY.as_bytes().to_vec());
    let part = Part { kind: 1, mark: PartMark::WHOLE, bytes };
    is_silent(&part);
    let mut assembler = Assembler::default();
    is_silent(&assembler.insert(0, 0, part));
    is_silent(&assembler);
}
