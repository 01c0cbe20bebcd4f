//! Two drawings as SVG, without anything that draws: bars in groups, and points with the line that
//! lies nearest to them.

use super::measure::{Line, as_float, least, median, most, written};

const WIDE: f64 = 860.0;
const HIGH: f64 = 420.0;
const LEFT: f64 = 80.0;
const RIGHT: f64 = 20.0;
const TOP: f64 = 50.0;
const BOTTOM: f64 = 60.0;
const COLOURS: [&str; 8] =
    ["#1f5fa8", "#6ba3d6", "#c0392b", "#e59866", "#2e7d4f", "#8bc6a0", "#6c4a9c", "#b39ad1"];

/// One kind of bar: its name, and in each group the samples (none leaves its place empty).
pub struct Bars {
    /// Its name.
    pub name: String,
    /// The samples, group by group.
    pub groups: Vec<Vec<f64>>,
}

/// A quantity over another one.
pub struct Growth {
    /// What it is, with its unit.
    pub name: String,
    /// What was measured.
    pub points: Vec<(f64, f64)>,
}

struct Canvas {
    text: String,
    top: f64,
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

impl Canvas {
    fn new(title: &str, names: &[&str], high: f64) -> Self {
        let top = TOP + 18.0 * as_float(names.len().div_ceil(2) as u64);
        let mut canvas = Self { text: String::new(), top };
        canvas.put(&format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDE} {high}\" \
             font-family=\"sans-serif\" font-size=\"12\"><title>{}</title>\n\
             <rect width=\"{WIDE}\" height=\"{high}\" fill=\"#ffffff\"/>",
            escaped(title)
        ));
        canvas.words((LEFT, 24.0), "start", title);
        for (number, name) in names.iter().enumerate() {
            let column = as_float(number as u64 % 2);
            let x = LEFT + column * (WIDE - LEFT) / 2.0;
            let y = 42.0 + 18.0 * as_float(number as u64 / 2);
            let colour = COLOURS[number % COLOURS.len()];
            canvas.bar((x, y - 10.0), (12.0, 12.0), colour);
            canvas.words((x + 18.0, y), "start", name);
        }
        canvas
    }

    fn put(&mut self, text: &str) {
        self.text.push_str(text);
        self.text.push('\n');
    }

    fn words(&mut self, (x, y): (f64, f64), anchor: &str, words: &str) {
        let words = escaped(words);
        self.put(&format!(
            "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" fill=\"#222222\">{words}</text>"
        ));
    }

    fn bar(&mut self, (x, y): (f64, f64), (width, height): (f64, f64), colour: &str) {
        self.put(&format!(
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" fill=\"{colour}\"/>"
        ));
    }

    fn stroke(&mut self, (x, y): (f64, f64), (to_x, to_y): (f64, f64), colour: &str) {
        self.put(&format!(
            "<line x1=\"{x:.1}\" y1=\"{y:.1}\" x2=\"{to_x:.1}\" y2=\"{to_y:.1}\" stroke=\"{colour}\"/>"
        ));
    }

    /// Lines across at round heights, with their numbers.
    fn heights(&mut self, highest: f64, ground: f64) {
        let step = step_of(highest);
        let mut height = 0.0;
        while height <= highest {
            let y = ground - (ground - self.top) * height / highest;
            self.stroke((LEFT, y), (WIDE - RIGHT, y), "#dddddd");
            self.words((LEFT - 8.0, y + 4.0), "end", &written(height));
            height += step;
        }
    }

    fn end(mut self) -> String {
        self.put("</svg>");
        self.text
    }
}

/// A round number that goes into the highest about five times.
fn step_of(highest: f64) -> f64 {
    let rough = highest / 5.0;
    let power = 10_f64.powf(rough.log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0].map(|one| one * power);
    steps.into_iter().find(|step| *step >= rough).unwrap_or(rough)
}

/// Bars in groups: the height is the median, the thin line the spread.
pub fn bars(title: &str, groups: &[String], all: &[Bars]) -> String {
    let names: Vec<&str> = all.iter().map(|one| one.name.as_str()).collect();
    let mut canvas = Canvas::new(title, &names, HIGH);
    let ground = HIGH - BOTTOM;
    let highest = all.iter().flat_map(|one| &one.groups).flatten().copied().fold(1.0, f64::max);
    canvas.heights(highest, ground);
    let many = as_float(groups.len().max(1) as u64);
    let wide = (WIDE - LEFT - RIGHT) / many;
    let one_wide = wide * 0.85 / as_float(all.len().max(1) as u64);
    let mut left = LEFT;
    for (number, group) in groups.iter().enumerate() {
        let mut x = left + wide * 0.075;
        for (which, bars) in all.iter().enumerate() {
            let samples = bars.groups.get(number).map_or(&[][..], Vec::as_slice);
            if !samples.is_empty() {
                let up = |value: f64| ground - (ground - canvas.top) * value / highest;
                let (middle, low, high) =
                    (up(median(samples)), up(least(samples)), up(most(samples)));
                let colour = COLOURS[which % COLOURS.len()];
                canvas.bar((x + 1.0, middle), (one_wide - 2.0, ground - middle), colour);
                let centre = x + one_wide / 2.0;
                canvas.stroke((centre, low), (centre, high), "#222222");
            }
            x += one_wide;
        }
        canvas.words((left + wide / 2.0, ground + 20.0), "middle", group);
        left += wide;
    }
    canvas.end()
}

/// Quantities over a number, one below the other: what was measured, and the straight line.
pub fn growth(title: &str, over: &str, all: &[Growth]) -> String {
    let high = 240.0 * as_float(all.len() as u64) + 60.0;
    let mut canvas = Canvas::new(title, &[], high);
    let mut top = TOP;
    for (number, one) in all.iter().enumerate() {
        let ground = top + 170.0;
        canvas.top = top + 16.0;
        let furthest = most(&one.points.iter().map(|point| point.0).collect::<Vec<_>>());
        let highest = most(&one.points.iter().map(|point| point.1).collect::<Vec<_>>());
        canvas.heights(highest, ground);
        let line = Line::through(&one.points);
        let words = format!("{} (straight line explains {:.2} %)", one.name, line.fit * 100.0);
        canvas.words((LEFT, top + 4.0), "start", &words);
        let ceiling = canvas.top;
        let place = |x: f64, y: f64| {
            let across = LEFT + (WIDE - LEFT - RIGHT) * x / furthest;
            (across, ground - (ground - ceiling) * y / highest)
        };
        let colour = COLOURS[number % COLOURS.len()];
        canvas.stroke(place(0.0, line.at(0.0)), place(furthest, line.at(furthest)), colour);
        for &(x, y) in &one.points {
            let (across, height) = place(x, y);
            canvas.put(&format!(
                "<circle cx=\"{across:.1}\" cy=\"{height:.1}\" r=\"4\" fill=\"{colour}\"/>"
            ));
            canvas.words((across, ground + 18.0), "middle", &written(x));
        }
        canvas.words((WIDE - RIGHT, ground + 36.0), "end", over);
        top += 240.0;
    }
    canvas.end()
}
