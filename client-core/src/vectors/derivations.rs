//! Every derivation on its own.

use poterne_protocol::desk::{CardSecret, DeskId};
use poterne_protocol::kem::{KemCiphertext, KemPublic, KemSecret};
use poterne_protocol::keys::Pin;
use poterne_protocol::time::Day;
use poterne_protocol::vectors::Vector;

use super::counting;
use crate::answer_box::{AnswerBox, follow_up_mailbox, write_key};
use crate::attachment::Descriptor;
use crate::chain::{ChainKey, message_key};
use crate::contact::{Offer, contact_mailbox};
use crate::desk::{DeviceCertificate, Epoch, EpochSeed};
use crate::dh::{DhPublic, DhSecret};
use crate::labels;
use crate::notice;
use crate::request::{Reveal, commitment};
use crate::secret::Secret;
use crate::session::chain_mailbox;
use crate::session::start::{Transcript, answer_header_key, establish};
use crate::session::step::step;

const EPOCH: Epoch = Epoch { day: Day(20_778), generation: 3 };

pub(super) fn all() -> Vec<Vector> {
    let mut vectors = vec![x25519(), notice_keys(), transcript_hashes(), epoch_seed()];
    vectors.extend([handshake_secret(), answer_box(), reveal(), chain(), payload_keys()]);
    vectors.extend([first_root(), root_step(), mailboxes(), attachment()]);
    vectors
}

fn desk() -> DeskId {
    DeskId(counting(0xd0))
}

/// The public half of the X-Wing key with that seed.
fn public(first: u8) -> KemPublic {
    KemSecret::from_seed(&counting(first)).public()
}

fn ciphertext(byte: u8) -> KemCiphertext {
    KemCiphertext::from([byte; 1120])
}

fn x25519() -> Vector {
    let (ours, theirs) = (DhSecret::from_bytes(&counting(1)), DhSecret::from_bytes(&counting(2)));
    Vector::new("x25519")
        .bytes("secret", ours.expose())
        .bytes("peer", &theirs.public().0)
        .bytes("shared", &ours.agree(&theirs.public()).expect("no key of ours is of small order")[..])
}

fn notice_keys() -> Vector {
    let card = CardSecret::from_bytes(&[0xca; 16]);
    Vector::new("notice keys")
        .bytes("card secret", card.expose())
        .bytes("desk id", &desk().0)
        .text("day", EPOCH.day)
        .bytes("read key", notice::notice_read_key(&card, &desk(), EPOCH.day).expose())
        .bytes("envelope key", notice::notice_key(&card, &desk(), EPOCH.day).expose())
}

fn transcript_hashes() -> Vector {
    let key = public(3);
    Vector::new("TH0")
        .bytes("desk id", &desk().0)
        .text("day", EPOCH.day)
        .text("generation", EPOCH.generation)
        .bytes("seed of the intake key", &counting(3))
        .bytes("TH0", &notice::th0(&desk(), EPOCH, &key))
        .bytes("offering", b"offering")
        .bytes("TH0 of a contact", &Offer::new(desk(), key, b"offering").th0())
}

fn epoch_seed() -> Vector {
    let seed = EpochSeed::from_bytes(&counting(4));
    Vector::new("epoch seed")
        .bytes("seed", seed.expose())
        .bytes("intake key", seed.intake_key(desk(), EPOCH).public().as_bytes())
        .bytes("intake read key", seed.intake_read_key().expose())
        .bytes("intake write key", seed.intake_write_key().expose())
        .text("device index", 258)
        .bytes("log read key", seed.log_read_key(258).expose())
        .bytes("log envelope key", seed.log_key(258).expose())
        .bytes("device mailbox", seed.device_mailbox(258).expose())
}

fn handshake_secret() -> Vector {
    let handshake = Secret::from_bytes(&counting(5));
    let lifeline = handshake.derive(labels::LIFELINE, &[]);
    Vector::new("what hs gives")
        .bytes("hs", handshake.expose())
        .bytes("answer box write key", write_key(&handshake).expose())
        .bytes("follow-up mailbox", follow_up_mailbox(&handshake).expose())
        .bytes("A1 header key", answer_header_key(&handshake).expose())
        .bytes("L", lifeline.expose())
        .bytes("lifeline header key", lifeline.derive(labels::LIFELINE_HEADER, &[]).expose())
        .bytes("contact mailbox of L", contact_mailbox(&lifeline).expose())
}

fn answer_box() -> Vector {
    let (handshake, own, pin) = (Secret::from_bytes(&counting(5)), counting(6), Pin([7; 16]));
    let answer_box = AnswerBox::new(&handshake, Secret::from_bytes(&own));
    Vector::new("answer box")
        .bytes("hs", handshake.expose())
        .bytes("own", &own)
        .bytes("pin", &pin.0)
        .bytes("H(own_r)", &answer_box.own_hash(&pin).0)
        .bytes("mailbox id", &answer_box.read_from(&pin).hashes().id().0)
}

fn reveal() -> Vector {
    let reveal = Reveal::from_bytes(&[8; 16]);
    Vector::new("commitment").bytes("reveal", reveal.expose()).bytes("commitment", &commitment(&reveal))
}

fn chain() -> Vector {
    let mut chain = ChainKey(Secret::from_bytes(&counting(9)));
    let vector = Vector::new("chain").bytes("chain key", chain.0.expose());
    let first = chain.step();
    let second = chain.step();
    vector
        .bytes("message secret 0", first.expose())
        .bytes("message secret 1", second.expose())
        .bytes("chain key 2", chain.0.expose())
}

fn payload_keys() -> Vector {
    let (nonce, secret) = ([10; 24], counting(11));
    let of = |label| {
        let (key, own_nonce) = message_key(&nonce, &secret, label);
        [&key.expose()[..], &own_nonce].concat()
    };
    let whole = |label| poterne_protocol::kdf::kdf::<32>(&nonce, &secret, label, &[]);
    Vector::new("keys of one envelope")
        .bytes("nonce", &nonce)
        .bytes("secret", &secret)
        .bytes("message", &of(labels::MESSAGE))
        .bytes("lifeline payload", &of(labels::LIFELINE_PAYLOAD))
        .bytes("follow-up", &whole(labels::FOLLOW_UP)[..])
        .bytes("claimed", &whole(labels::CLAIMED)[..])
}

fn first_root() -> Vector {
    let certificate =
        DeviceCertificate { index: 258, identity: DhPublic(counting(12)), last: EPOCH, signature: [0; 64] };
    let handshake = Secret::from_bytes(&counting(5));
    let (contact_hash, echoed_hash) = (counting(13), counting(14));
    let (ct, ek, kem, dh) = (ciphertext(15), public(16), counting(17), counting(18));
    let transcript = Transcript {
        handshake: &handshake,
        contact_hash: &contact_hash,
        echoed_hash: &echoed_hash,
        certificate: &certificate,
        lease: 66_051,
        ct: &ct,
        ek: &ek,
    };
    let established = establish(&transcript, &kem, &dh);
    Vector::new("A1 schedule")
        .bytes("hs", handshake.expose())
        .bytes("ss1", &kem)
        .bytes("X25519", &dh)
        .bytes("H(M0)", &contact_hash)
        .bytes("notice hash", &echoed_hash)
        .text("index", certificate.index)
        .bytes("IK_V", &certificate.identity.0)
        .text("lease number", transcript.lease)
        .bytes("ct1", ct.as_bytes())
        .bytes("seed of ek_V", &counting(16))
        .bytes("RK0", established.root.expose())
        .bytes("CK0", established.chain.0.expose())
        .bytes("HK1", established.header.expose())
        .bytes("MB1", established.mailbox.expose())
        .bytes("SID", &established.id)
}

fn root_step() -> Vector {
    let (root, shared) = (Secret::from_bytes(&counting(19)), counting(20));
    let next = step(&root, &shared, &public(21), &ciphertext(22), &public(23));
    Vector::new("root step")
        .bytes("root", root.expose())
        .bytes("ss", &shared)
        .bytes("seed of the peer's ek", &counting(21))
        .bytes("ct", ciphertext(22).as_bytes())
        .bytes("seed of ek", &counting(23))
        .bytes("next root", next.root.expose())
        .bytes("chain key", next.chain.0.expose())
        .bytes("next header key", next.header.expose())
        .bytes("next mailbox", next.mailbox.expose())
}

fn mailboxes() -> Vector {
    let mailbox = Secret::from_bytes(&counting(24));
    Vector::new("chain mailboxes")
        .bytes("MB", mailbox.expose())
        .bytes("j = 0", chain_mailbox(&mailbox, 0).expose())
        .bytes("j = 3", chain_mailbox(&mailbox, 3).expose())
}

fn attachment() -> Vector {
    let file_key = Secret::from_bytes(&counting(25));
    let (length, count, media_type) = (300_000, 128, String::new());
    let descriptor =
        Descriptor { file_key: file_key.clone(), length, count, media_type, content_hash: [0; 32] };
    Vector::new("attachment")
        .bytes("file key", file_key.expose())
        .bytes("key of chunk 65", descriptor.chunk_key(65).expose())
        .bytes("mailbox of chunk 63", descriptor.mailbox_of(63).expose())
        .bytes("mailbox of chunk 65", descriptor.mailbox_of(65).expose())
}
