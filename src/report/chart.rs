//! One kind of chart: horizontal bars, each of several parts, as inline SVG whose text stays text.
//!
//! Always: no font is measured and none is embedded; nothing in it names an address; every bar has its numbers beside it, so that no
//! colour is needed to read it. Names come from other people's databases: the backend escapes them.
//! Must not know: what is drawn.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::ReportError;
use crate::mask;

const WIDTH: i32 = 760;
/// Where bars begin and end; labels stand before, numbers behind.
const BEGIN: i32 = 216;
const END: i32 = 586;
const ROW: i32 = 21;
const TOP: i32 = 26;
const BAR: i32 = 13;
/// The backend divides it by 1.24: 12 pixels.
const FONT: f64 = 14.88;
/// Of a label, in pixels.
const LABEL: i32 = BEGIN - 12;

/// What a part of a bar stands for: its word, and its colour.
#[derive(Clone)]
pub(super) struct Part {
    pub(super) name: String,
    pub(super) colour: RGBColor,
}

/// One bar.
pub(super) struct Bar {
    pub(super) label: String,
    /// One number a part.
    pub(super) parts: Vec<u128>,
    /// The numbers as people read them.
    pub(super) note: String,
}

/// What the length of a bar says.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Length {
    /// Every bar is as long: its parts are shares.
    Shares,
    /// The longest bar is the greatest sum.
    Sums,
}

/// Draws the bars under their legend. Empty without bars.
pub(super) fn bars(parts: &[Part], bars: &[Bar], length: Length) -> Result<String, ReportError> {
    if bars.is_empty() {
        return Ok(String::new());
    }
    let rows = i32::try_from(bars.len()).unwrap_or(i32::MAX / ROW - TOP);
    let height = TOP + rows * ROW + 6;
    let mut svg = String::new();
    draw(&mut svg, height, parts, bars, length).map_err(|e| ReportError::Chart { what: e.to_string() })?;
    Ok(inline(&svg, height))
}

type DrawError = DrawingAreaErrorKind<std::io::Error>;

fn draw(
    svg: &mut String,
    height: i32,
    parts: &[Part],
    bars: &[Bar],
    length: Length,
) -> Result<(), DrawError> {
    let size = (WIDTH.unsigned_abs(), height.unsigned_abs());
    let area = SVGBackend::with_string(svg, size).into_drawing_area();
    let style = |h: HPos| {
        TextStyle::from(("sans-serif", FONT).into_font())
            .pos(Pos::new(h, VPos::Center))
            .color(&RGBColor(27, 36, 48))
    };
    let mut x = BEGIN;
    for part in parts {
        area.draw(&Rectangle::new([(x, 6), (x + 11, 17)], part.colour.filled()))?;
        area.draw(&Text::new(shown(&part.name, 140), (x + 16, 12), style(HPos::Left)))?;
        x += 30 + width(&shown(&part.name, 140));
    }
    let longest = bars.iter().map(sum).max().unwrap_or(0);
    for (bar, at) in bars.iter().zip(0..) {
        let y = TOP + at * ROW;
        let middle = y + BAR / 2;
        area.draw(&Text::new(shown(&bar.label, LABEL), (BEGIN - 8, middle), style(HPos::Right)))?;
        let whole = if length == Length::Shares { sum(bar) } else { longest };
        let (mut done, mut from) = (0_u128, BEGIN);
        for (value, part) in bar.parts.iter().zip(parts) {
            done += value;
            let to = BEGIN + pixels(done, whole);
            // What is there is seen, however little it is.
            let to = if *value > 0 { to.max(from + 1) } else { to.max(from) };
            if to > from {
                area.draw(&Rectangle::new([(from, y), (to, y + BAR)], part.colour.filled()))?;
            }
            from = to;
        }
        area.draw(&Text::new(shown(&bar.note, WIDTH - END), (END + 10, middle), style(HPos::Left)))?;
    }
    area.present()
}

fn sum(bar: &Bar) -> u128 {
    bar.parts.iter().sum()
}

/// How long a part of the whole is.
fn pixels(part: u128, whole: u128) -> i32 {
    let length = (END - BEGIN).unsigned_abs();
    let parts = part.saturating_mul(length.into()).checked_div(whole).unwrap_or(0);
    i32::try_from(parts).unwrap_or(0)
}

/// About how wide a text is: a Chinese character is as wide as it is high, others are about half of it.
fn width(text: &str) -> i32 {
    text.chars().map(|c| if c.is_ascii() { 7 } else { 12 }).sum()
}

/// A text that fits into so many pixels.
fn shown(text: &str, pixels: i32) -> String {
    let text = mask::visible(text);
    if width(&text) <= pixels {
        return text.into_owned();
    }
    let mut cut = String::new();
    for c in text.chars() {
        if width(&cut) > pixels - 24 {
            break;
        }
        cut.push(c);
    }
    cut + "…"
}

/// The drawing as a part of an HTML page: of the width that there is, without the address of its namespace, which HTML does not need.
fn inline(svg: &str, height: i32) -> String {
    let body = svg.split_once('>').map_or("", |(_, body)| body);
    format!("<svg class=\"chart\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\">{body}")
}
