//! A plot of samples as a file that every browser shows: memory above, backlog below, and each fault as
//! a mark.

use std::fmt::Write as _;

use crate::samples::{Event, Sample};

const WIDTH: f64 = 1000.0;
const HEIGHT: f64 = 240.0;
const LEFT: f64 = 80.0;
const RIGHT: f64 = 20.0;
const TOP: f64 = 40.0;
/// From the top of one panel to the top of the next.
const NEXT: f64 = HEIGHT + 60.0;
const COLOURS: [&str; 6] = ["#1b6ca8", "#c0392b", "#2e8b57", "#8e44ad", "#b7791f", "#444444"];

/// A line of a panel: its name, and its points in time.
struct Line {
    name: String,
    points: Vec<(f64, Option<f64>)>,
}

/// The plot.
pub fn draw(title: &str, samples: &[Sample], events: &[Event]) -> String {
    let end = samples.last().map_or(1.0, |one| one.seconds).max(1.0);
    let height = TOP + NEXT * 2.0 + 20.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" \
         font-family=\"sans-serif\" font-size=\"13\">\n\
         <rect width=\"{WIDTH}\" height=\"{height}\" fill=\"white\"/>\n\
         <text x=\"{LEFT}\" y=\"20\" font-size=\"16\">{}</text>\n",
        escaped(title)
    );
    panel(&mut svg, (TOP, end), "resident memory, MiB", &memory(samples), events);
    panel(&mut svg, (TOP + NEXT, end), "open", &backlog(samples), events);
    svg.push_str("</svg>\n");
    svg
}

#[expect(clippy::cast_precision_loss, reason = "memory is far below 2^53")]
fn memory(samples: &[Sample]) -> Vec<Line> {
    let replicas = samples.iter().map(|one| one.resident_kib.len()).max().unwrap_or_default();
    let of = |number: usize| {
        let held = |one: &Sample| one.resident_kib.get(number).copied().flatten();
        let points =
            samples.iter().map(|one| (one.seconds, held(one).map(|kib| kib as f64 / 1024.0)));
        Line { name: format!("replica {}", number + 1), points: points.collect() }
    };
    (0..replicas).map(of).collect()
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
fn backlog(samples: &[Sample]) -> Vec<Line> {
    let line = |name: &str, value: fn(&Sample) -> i64| {
        let points = samples.iter().map(|one| (one.seconds, Some(value(one) as f64)));
        Line { name: name.to_owned(), points: points.collect() }
    };
    vec![line("jobs", |one| one.jobs), line("requests", |one| one.requests)]
}

fn panel(svg: &mut String, (top, end): (f64, f64), unit: &str, lines: &[Line], events: &[Event]) {
    let values = lines.iter().flat_map(|line| line.points.iter().filter_map(|point| point.1));
    let most = rounded_up(values.fold(1.0, f64::max));
    let across = |seconds: f64| LEFT + (WIDTH - LEFT - RIGHT) * seconds / end;
    let down = |value: f64| top + HEIGHT * (1.0 - value / most);
    for event in events {
        let x = across(event.seconds.min(end));
        element(
            svg,
            &format!(
                "<line x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{top}\" y2=\"{:.1}\" stroke=\"#dddddd\"><title>{}</title></line>",
                top + HEIGHT,
                escaped(&event.what)
            ),
        );
    }
    for quarter in 0..=4 {
        let value = most * f64::from(quarter) / 4.0;
        let y = down(value);
        element(
            svg,
            &format!(
                "<line x1=\"{LEFT}\" x2=\"{}\" y1=\"{y:.1}\" y2=\"{y:.1}\" stroke=\"#bbbbbb\" stroke-width=\"0.5\"/>\
             <text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{value:.0}</text>",
                WIDTH - RIGHT,
                LEFT - 8.0,
                y + 4.0
            ),
        );
        let seconds = end * f64::from(quarter) / 4.0;
        element(
            svg,
            &format!(
                "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{seconds:.0} s</text>",
                across(seconds),
                top + HEIGHT + 18.0
            ),
        );
    }
    element(svg, &format!("<text x=\"{LEFT}\" y=\"{:.1}\">{}</text>", top - 6.0, escaped(unit)));
    for (number, line) in lines.iter().enumerate() {
        let colour = COLOURS[number % COLOURS.len()];
        for part in line.points.split(|point| point.1.is_none()) {
            let points = part.iter().filter_map(|(seconds, value)| {
                Some(format!("{:.1},{:.1}", across(*seconds), down((*value)?)))
            });
            let points = points.collect::<Vec<_>>().join(" ");
            element(
                svg,
                &format!(
                    "<polyline points=\"{points}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.5\"/>"
                ),
            );
        }
        let x = WIDTH - RIGHT - 110.0 * f64::from(u32::try_from(lines.len() - number).unwrap_or(1));
        element(
            svg,
            &format!(
                "<text x=\"{x:.1}\" y=\"{:.1}\" fill=\"{colour}\">{}</text>",
                top - 6.0,
                escaped(&line.name)
            ),
        );
    }
}

fn element(svg: &mut String, text: &str) {
    writeln!(svg, "{text}").unwrap_or_default();
}

/// The next number with one digit and zeros, or half of that, so that the scale can be read.
fn rounded_up(value: f64) -> f64 {
    let tens = 10_f64.powf(value.max(1.0).log10().floor());
    [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .map(|one| one * tens)
        .find(|one| *one >= value)
        .unwrap_or(value)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
