//! The frozen vectors of tests/vectors, checked by the pure crates as wasm.
//!
//! `cargo xtask test` builds this for wasm32 and runs it in Node by `run.mjs`, without any binding generator: one
//! exported function counts, two more hand out the text of a failure.

use std::sync::Mutex;

/// One vector file and the function that checks it natively too. It gives the number of vectors that hold.
struct Suite {
    file: &'static str,
    json: &'static str,
    check: fn(&str) -> Result<usize, String>,
}

/// Every file of tests/vectors; a test below holds this list and the folder together.
const SUITES: &[Suite] = &[
    Suite {
        file: "client-core.json",
        json: include_str!("../../vectors/client-core.json"),
        check: poterne_client_core::vectors::check,
    },
    Suite {
        file: "protocol.json",
        json: include_str!("../../vectors/protocol.json"),
        check: poterne_protocol::vectors::check,
    },
];

/// What went wrong in the last run; empty where nothing did. It never shrinks or moves once it is set.
static FAILURE: Mutex<String> = Mutex::new(String::new());

/// Checks everything. Gives the number of vectors that hold, or 0 with a failure to be read.
#[expect(unsafe_code, reason = "an exported name is how a wasm module is called")]
#[unsafe(no_mangle)]
pub extern "C" fn run() -> u32 {
    match check_all(SUITES) {
        Ok(count) => u32::try_from(count).expect("there are fewer than 2^32 vectors"),
        Err(failure) => {
            *FAILURE.lock().expect("no check panics while it holds the lock") = failure;
            0
        }
    }
}

/// Where the text of the failure begins in memory.
#[expect(unsafe_code, reason = "an exported name is how a wasm module is called")]
#[unsafe(no_mangle)]
pub extern "C" fn failure_address() -> *const u8 {
    FAILURE.lock().expect("no check panics while it holds the lock").as_ptr()
}

/// How many bytes the text of the failure has.
#[expect(unsafe_code, reason = "an exported name is how a wasm module is called")]
#[unsafe(no_mangle)]
pub extern "C" fn failure_length() -> usize {
    FAILURE.lock().expect("no check panics while it holds the lock").len()
}

fn check_all(suites: &[Suite]) -> Result<usize, String> {
    suites.iter().try_fold(0, |count, suite| match (suite.check)(suite.json) {
        Ok(0) => Err(format!("{} holds no vector", suite.file)),
        Ok(held) => Ok(count + held),
        Err(failure) => Err(format!("{}: {failure}", suite.file)),
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    #[test]
    fn every_vector_file_is_checked() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../vectors");
        let names =
            |entry: std::io::Result<std::fs::DirEntry>| entry.unwrap().file_name().into_string().unwrap();
        let files: BTreeSet<String> = std::fs::read_dir(folder).into_iter().flatten().map(names).collect();
        let json: BTreeSet<&str> =
            files.iter().map(String::as_str).filter(|f| f.ends_with(".json")).collect();
        assert_eq!(json, SUITES.iter().map(|suite| suite.file).collect());
    }

    #[test]
    fn all_vectors_hold() {
        check_all(SUITES).unwrap();
    }

    #[test]
    fn a_failure_names_its_file() {
        let broken = Suite { file: "a.json", json: "[]", check: |_| Err("third of five".into()) };
        assert_eq!(check_all(&[broken]), Err("a.json: third of five".into()));
    }

    #[test]
    fn an_empty_file_is_a_failure() {
        let empty = Suite { file: "a.json", json: "[]", check: |_| Ok(0) };
        assert_eq!(check_all(&[empty]), Err("a.json holds no vector".into()));
    }
}
