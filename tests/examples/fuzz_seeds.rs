//! Writes the seeds of every fuzz target into the folder that is named: `cargo run --example fuzz_seeds tests/fuzz/corpus`.

use std::fs;
use std::path::Path;

use poterne_tests::fuzz::TARGETS;

fn main() -> std::io::Result<()> {
    let folder = std::env::args().nth(1).expect("the folder of the corpora");
    for target in TARGETS {
        let folder = Path::new(&folder).join(target.name);
        fs::create_dir_all(&folder)?;
        for (number, bytes) in (target.seeds)().into_iter().enumerate() {
            fs::write(folder.join(format!("seed-{number:02}")), bytes)?;
        }
    }
    Ok(())
}
