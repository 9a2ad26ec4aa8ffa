//! A QR code in the terminal: two modules in one letter, with the quiet zone that scanners need.

use qrcode::render::unicode::Dense1x2;
use qrcode::types::QrError;
use qrcode::{EcLevel, QrCode};

/// White on black whatever the terminal's colours are: many scanners read no inverted code.
const WHITE_ON_BLACK: &str = "\x1b[38;5;231;48;5;16m";
const AS_BEFORE: &str = "\x1b[0m";

/// The code of `text`, one line for two rows of modules. With `coloured`, for a terminal; else the light modules are
/// full blocks, as a dark terminal shows them.
pub fn draw(text: &str, coloured: bool) -> Result<String, QrError> {
    let code = QrCode::with_error_correction_level(text, EcLevel::L)?;
    let mut renderer = code.render::<Dense1x2>();
    let drawn = renderer.dark_color(Dense1x2::Light).light_color(Dense1x2::Dark).quiet_zone(true).build();
    let line = |line: &str| {
        if coloured { format!("{WHITE_ON_BLACK}{line}{AS_BEFORE}\n") } else { format!("{line}\n") }
    };
    Ok(drawn.lines().map(line).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A card with two relays.
    const LONGEST_CARD: usize = 320;

    fn lines_of(text: &str) -> Vec<String> {
        draw(text, false).unwrap().lines().map(str::to_owned).collect()
    }

    /// What a scanner reads from the drawn letters, on a terminal that is dark.
    fn scanned(lines: &[String]) -> String {
        let rows: Vec<Vec<char>> = lines.iter().map(|line| line.chars().collect()).collect();
        let is_light = |x: usize, y: usize| match rows[y / 2][x] {
            '█' => true,
            '▀' => y.is_multiple_of(2),
            '▄' => !y.is_multiple_of(2),
            _ => false,
        };
        let scale = 4;
        let (width, height) = (rows[0].len() * scale, rows.len() * 2 * scale);
        let grey = |x, y| if is_light(x / scale, y / scale) { 255 } else { 0 };
        let mut image = rqrr::PreparedImage::prepare_from_greyscale(width, height, grey);
        image.detect_grids()[0].decode().unwrap().1
    }

    #[test]
    fn a_scanner_reads_what_was_drawn() {
        for text in ["poterne:AAAA", &"Ab9_-".repeat(LONGEST_CARD / 5)] {
            assert_eq!(scanned(&lines_of(text)), text);
        }
    }

    #[test]
    fn a_code_has_its_quiet_zone() {
        let lines = lines_of("poterne:AAAA");
        let (last, others) = lines.split_last().unwrap();
        assert!(lines[..2].iter().all(|line| line.chars().all(|letter| letter == '█')));
        assert!(others.iter().all(|line| line.starts_with("████") && line.ends_with("████")));
        assert!(last.chars().all(|letter| letter == '▀'));
    }

    #[test]
    fn the_longest_card_fits_in_80_columns() {
        assert!(lines_of(&"x".repeat(LONGEST_CARD)).iter().all(|line| line.chars().count() <= 80));
    }

    #[test]
    fn colours_end_with_each_line() {
        let drawn = draw("poterne:AAAA", true).unwrap();
        assert!(drawn.lines().all(|line| line.starts_with(WHITE_ON_BLACK) && line.ends_with(AS_BEFORE)));
    }
}
