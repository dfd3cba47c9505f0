//! How much room texts take in a sheet: widths of columns and heights of rows, counted from characters, where no spreadsheet measures them for us.
//!
//! Always: rather too much room than a text that is cut.

/// A width in tenths of a digit.
type Tenths = usize;

/// The widest column that a long text gets, the narrowest of any text, and of what is written by hand.
const WIDEST: u16 = 44;
const NARROWEST: u16 = 6;
const BY_HAND: u16 = 8;
/// Columns of a list come to no more than this where they can, so that A4 across stays readable.
const PAGE: u16 = 190;

/// Height of a line, of what a row has around its lines, and the greatest of a row, in points.
const LINE: u32 = 14;
const AROUND: u32 = 3;
const HIGHEST: u32 = 409;

/// A Chinese character is two digits wide.
fn tenths(c: char) -> Tenths {
    if is_wide(c) { 20 } else { 10 }
}

/// Chinese characters and their punctuation, between which a line may end.
fn is_wide(c: char) -> bool {
    c >= '\u{2000}'
}

/// Widths of what a line is not broken in: a Chinese character, or a word with what parts it from the next.
fn pieces(line: &str) -> Vec<Tenths> {
    let (mut all, mut open): (Vec<Tenths>, bool) = (Vec::new(), false);
    for c in line.chars() {
        match all.last_mut().filter(|_| open && !is_wide(c)) {
            Some(word) => *word += tenths(c),
            None => all.push(tenths(c)),
        }
        open = !is_wide(c) && c != ' ' && c != '-';
    }
    all
}

/// Lines that a text takes in a column.
fn lines(text: &str, width: u16) -> u32 {
    let room = usize::from(width.max(1)) * 10;
    let of_line = |line: &str| {
        let (mut lines, mut used) = (1, 0);
        for piece in pieces(line) {
            if used > 0 && used + piece > room {
                (lines, used) = (lines + 1, 0);
            }
            used += piece;
            // A word longer than a line goes on in the next.
            while used > room {
                (lines, used) = (lines + 1, used - room);
            }
        }
        lines
    };
    text.split('\n').map(of_line).sum()
}

/// Height of a row in points: its texts and the widths of their columns.
pub(super) fn height<'t>(texts: impl Iterator<Item = (&'t str, u16)>, least_lines: u32) -> u32 {
    let lines = texts.map(|(text, width)| lines(text, width)).max().unwrap_or(1);
    (lines.max(least_lines) * LINE + AROUND).min(HIGHEST)
}

/// Digits of a width, and room beside the text.
fn digits(width: Tenths) -> u16 {
    u16::try_from(width.div_ceil(10) + 1).unwrap_or(u16::MAX)
}

/// The least width in which no word of a head is broken.
pub(super) fn unbroken(head: &str) -> u16 {
    digits(pieces(head).into_iter().max().unwrap_or(0))
}

/// Widths of the columns of a list: by the longest of their texts, long ones narrower where the page would not hold all.
pub(super) fn widths(heads: &[&str], longest: &[Tenths]) -> Vec<u16> {
    let wanted = |(head, text): (&&str, &Tenths)| {
        // A head takes two lines.
        let head_width: Tenths = head.chars().map(tenths).sum();
        let least = unbroken(head).max(digits(head_width.div_ceil(2)));
        let text = if *text == 0 { BY_HAND } else { digits(*text).clamp(NARROWEST, WIDEST) };
        (least, text)
    };
    let wanted: Vec<(u16, u16)> = heads.iter().zip(longest).map(wanted).collect();
    let within = |most: u16| wanted.iter().map(move |(least, text)| (*text).min(most).max(*least));
    let most = (NARROWEST..=WIDEST).rev().find(|most| within(*most).sum::<u16>() <= PAGE);
    within(most.unwrap_or(NARROWEST * 2)).collect()
}

/// Width of a text on one line.
pub(super) fn width(text: &str) -> Tenths {
    text.split('\n').map(|line| line.chars().map(tenths).sum()).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::{PAGE, height, lines, unbroken, width, widths};

    #[test]
    fn lines_end_between_words_and_between_chinese_characters() {
        assert_eq!(lines("", 5), 1);
        assert_eq!(lines("证件号码不符", 7), 2);
        assert_eq!(lines("Reviewed by", 10), 2);
        assert_eq!(lines("229901198001010010", 10), 2, "a word longer than a line");
        assert_eq!(lines("a\nb", 10), 2);
        assert_eq!(height([("", 5), ("甲乙丙丁", 5)].into_iter(), 1), 31);
        assert_eq!(height([("", 5)].into_iter(), 3), 45);
        assert_eq!(height([("甲".repeat(500).as_str(), 5)].into_iter(), 1), 409);
    }

    #[test]
    fn a_column_is_as_wide_as_the_longest_word_of_its_head() {
        assert!(unbroken("Reviewed by") >= 10, "{}", unbroken("Reviewed by"));
        assert!(unbroken("复核日期") < 5);
    }

    #[test]
    fn long_texts_give_way_so_that_a_page_holds_all_columns() {
        let texts = ["1", "养老", &"长".repeat(80), ""].map(width);
        assert_eq!(widths(&["甲", "科室", "问题", "抽查结果"], &texts), [6, 6, 44, 8]);
        let many = vec![width(&"长".repeat(80)); 19];
        let all = widths(&["问题"; 19], &many);
        assert!(all.iter().sum::<u16>() <= PAGE && all.iter().all(|w| *w == all[0]), "{all:?}");
    }
}
