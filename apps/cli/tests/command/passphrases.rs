//! More than one passphrase: another one, one to give away, and one that burns.

use crate::dead_relay::Silence;
use crate::place::{Place, Ran, run};

/// A place with a desk in it; what a desk is can be asked without a relay.
fn place_with_desk() -> Place {
    let (place, silence) = (Place::new(), Silence::new());
    let words = ["desk", "create", "--name", "Way out", "--relay", &silence.address(), "--json"];
    assert_eq!(place.run("desk", &words).json()["state"], "queued");
    place
}

/// `desk card`, by the passphrase in that file.
fn card_by(place: &Place, passphrase: &str) -> Ran {
    let mut command = crate::place::poterne();
    command.arg("--home").arg(place.path("desk")).arg("--passphrase-file").arg(place.path(passphrase));
    run(command.args(["desk", "card", "--json"]))
}

fn passphrase(place: &Place, words: &[&str], file: &str) -> Ran {
    let file = place.path(file).display().to_string();
    place.run("desk", &[&["passphrase"], words, &["--new-passphrase-file", &file, "--json"]].concat())
}

#[test]
fn a_passphrase_can_be_replaced() {
    let place = place_with_desk();
    assert_eq!(passphrase(&place, &["change"], "wrong").json()["state"], "changed");
    assert_eq!(card_by(&place, "right").error_code(), "passphrase_wrong");
    assert!(card_by(&place, "wrong").json()["card"].is_string());
}

#[test]
fn a_passphrase_to_give_away_opens_a_home_of_its_own_and_another_one_burns_the_rest() {
    let place = place_with_desk();
    assert_eq!(passphrase(&place, &["duress"], "right").error_code(), "passphrase_same");
    assert_eq!(passphrase(&place, &["duress"], "wrong").json()["burns"], false);
    assert_eq!(card_by(&place, "wrong").error_code(), "home_no_desk");
    let card = card_by(&place, "right").json();

    std::fs::write(place.path("burning"), "burning words").unwrap();
    assert_eq!(passphrase(&place, &["duress", "--burn"], "burning").json()["burns"], true);
    assert_eq!(card_by(&place, "right").json(), card);
    let burnt = card_by(&place, "burning");
    assert_eq!((burnt.error_code().as_str(), burnt.out.as_str()), ("home_no_desk", ""));
    assert_eq!(card_by(&place, "right").error_code(), "passphrase_wrong");
    assert_eq!(card_by(&place, "wrong").error_code(), "passphrase_wrong");
    assert_eq!(card_by(&place, "burning").error_code(), "home_no_desk");
}
