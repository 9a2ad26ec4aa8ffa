//! A bar that shows how far files are, on standard error, at a terminal only.
//!
//! Invariant: scripts never see it, and nothing of it is left when the command tells its answer.

use std::io::{self, Write as _};

use poterne_client_core::effect::Progress;

const CELLS: u32 = 30;

/// The bar, and what stands beside it.
#[derive(Debug, Default)]
pub struct Meter {
    label: Option<String>,
    shown: Option<Progress>,
}

impl Meter {
    /// A bar with a word in front; none shows nothing.
    pub fn new(label: Option<String>) -> Self {
        Self { label, shown: None }
    }

    /// Shows how far it is. A bar that can't be shown is no reason to stop.
    pub fn show(&mut self, progress: Progress) {
        let Some(label) = self.label.as_ref().filter(|_| self.shown != Some(progress) && progress.of > 0)
        else {
            return;
        };
        let mut terminal = io::stderr();
        write!(terminal, "\r{}\x1b[K", line(label, progress)).and_then(|()| terminal.flush()).ok();
        self.shown = Some(progress);
    }

    /// Takes the bar away.
    pub fn clear(&mut self) {
        if self.shown.take().is_some() {
            write!(io::stderr(), "\r\x1b[K").ok();
        }
    }
}

fn line(label: &str, Progress { done, of }: Progress) -> String {
    let full = done.min(of) * CELLS / of.max(1);
    let bar: String = (0..CELLS).map(|cell| if cell < full { '█' } else { '░' }).collect();
    format!("{label} {bar} {done}/{of}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_as_full_as_the_files_are_far() {
        assert_eq!(line("Files", Progress { done: 0, of: 64 }).matches('█').count(), 0);
        assert_eq!(line("Files", Progress { done: 32, of: 64 }).matches('█').count(), 15);
        assert_eq!(line("Files", Progress { done: 64, of: 64 }), format!("Files {} 64/64", "█".repeat(30)));
    }
}
