//! Figure c: reading, checking and compiling a large data map, and a plan for all of its systems.
//! Each size is read by a process of its own, so that its memory is its own.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;
use std::time::Instant;

use quietus::domain::Clock as _;
use quietus::plan::{Acting, EventKeys, Marks, PlanInput, plan};
use quietus::telemetry::SystemClock;
use tokio::process::Command;

use super::arguments::{FolderArguments, PlanningArguments};
use super::measure::{Line, Memory, as_float, median, mib};
use super::plot::Growth;
use super::race::this_program;
use super::report::{Report, Row};

/// What one process has measured.
struct Measured {
    read_s: f64,
    plan_s: f64,
    peak_mib: f64,
    instructions: u64,
}

/// Measures how long a plan takes; what there is to draw.
pub async fn measure(arguments: &PlanningArguments, report: &mut Report) -> Vec<Growth> {
    let (mut read, mut planned, mut memory) = (Vec::new(), Vec::new(), Vec::new());
    for &systems in &arguments.systems {
        let folder = tempfile::tempdir().expect("a folder");
        write_folder(folder.path(), systems, arguments);
        let mut rounds = Vec::new();
        for _ in 0..arguments.rounds {
            rounds.push(run(folder.path()).await);
        }
        let collections = u64::from(systems) * u64::from(arguments.collections);
        for one in &rounds {
            assert_eq!(one.instructions, collections, "every collection is planned");
        }
        let of = |what: fn(&Measured) -> f64| rounds.iter().map(what).collect::<Vec<f64>>();
        let [reads, plans, peaks] = [of(|it| it.read_s), of(|it| it.plan_s), of(|it| it.peak_mib)];
        let x = as_float(collections);
        read.push((x, median(&reads)));
        planned.push((x, median(&plans)));
        memory.push((x, median(&peaks)));
        let size = format!(
            "{systems} systems × {} collections × {} rules",
            arguments.collections, arguments.rules
        );
        report.add(Row::new("c", format!("read and check {size}"), "s", reads));
        report.add(Row::new("c", format!("plan {size}"), "s", plans));
        report.add(Row::new("c", format!("peak memory, {size}"), "MiB", peaks));
    }
    if arguments.systems.len() > 1 {
        for (what, points) in [("reading", &read), ("planning", &planned)] {
            let line = Line::through(points);
            report.remark(format!(
                "Figure c: {what} takes {:.1} µs a collection; a straight line explains {:.2} % of the difference between sizes.",
                line.slope * 1e6,
                line.fit * 100.0
            ));
        }
    }
    [("reading and checking, s", read), ("planning, s", planned), ("peak memory, MiB", memory)]
        .map(|(name, points)| Growth { name: name.to_owned(), points })
        .into()
}

async fn run(folder: &Path) -> Measured {
    let mut command: Command = this_program(&["plan", &folder.display().to_string()]);
    let output = command.output().await.expect("the process starts");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "the process failed: {complaint}");
    let numbers: Vec<u64> =
        said.split_whitespace().map(|word| word.parse().expect("a number")).collect();
    let [read_us, plan_us, peak_kib, instructions] = numbers[..] else {
        panic!("four numbers, not {said}")
    };
    let seconds = |microseconds: u64| as_float(microseconds) / 1e6;
    Measured {
        read_s: seconds(read_us),
        plan_s: seconds(plan_us),
        peak_mib: mib(peak_kib),
        instructions,
    }
}

/// In a process of its own: reads a folder and plans as of now.
pub fn plan_folder(arguments: &FolderArguments) {
    let begun = Instant::now();
    let loaded = quietus::config::load(&arguments.folder)
        .unwrap_or_else(|problems| panic!("the folder is not in order: {:?}", problems.found));
    let read = begun.elapsed();
    let moment = SystemClock.now();
    let zone = jiff::tz::TimeZone::UTC;
    let begun = Instant::now();
    let plan = plan(&PlanInput {
        map: &loaded.data_map,
        identities: &loaded.instance.identities,
        rules: &loaded.rules,
        limits: &loaded.rules.limits,
        zone: &zone,
        moment,
        today: zone.to_datetime(moment).date(),
        holds: &[],
        events: &EventKeys::default(),
        marks: &Marks::new(),
        paused: &BTreeSet::new(),
        acting: &Acting::Everything,
        persons: None,
    });
    let planned = begun.elapsed();
    let instructions: usize = plan
        .systems
        .iter()
        .map(|system| system.instructions.iter().filter(|one| !one.keep).count())
        .sum();
    println!(
        "{} {} {} {instructions}",
        read.as_micros(),
        planned.as_micros(),
        Memory::own().peak_kib
    );
}

/// Writes a folder of so many systems. Each collection has a category of its own turn, a clock and a
/// key; every category has one rule.
fn write_folder(folder: &Path, systems: u32, arguments: &PlanningArguments) {
    for name in ["systems", "schedules"] {
        std::fs::create_dir(folder.join(name)).expect("a folder");
    }
    let instance = "controller: {name: Example Company, zone: UTC, country: DE}\n\
                    store: sqlite:quietus.db\nlisten: 127.0.0.1:0\n";
    std::fs::write(folder.join("quietus.yaml"), instance).expect("written");
    std::fs::write(folder.join("schedules/figures.yaml"), rules(arguments.rules)).expect("written");
    for number in 0..systems {
        let file = folder.join(format!("systems/system-{number:04}.yaml"));
        std::fs::write(file, system(number, arguments)).expect("written");
    }
}

fn rules(many: u32) -> String {
    let (mut categories, mut rules) = (String::new(), String::new());
    for number in 0..many {
        // A string takes whatever is written.
        writeln!(categories, "  category-{number:03}: {{purpose: work}}").unwrap_or_default();
        writeln!(
            rules,
            "  - {{rule: rule-{number:03}, category: category-{number:03}, starting_point: collection, period: P{}M, action: erase, basis: {{citation: contract}}}}",
            6 + number % 120
        )
        .unwrap_or_default();
    }
    format!(
        "pack: figures\nversion: '1'\nowner: Ada Example\ncategories:\n{categories}schedules:\n  nightly: {{cron: '0 2 * * *', zone: UTC}}\nschedule: nightly\ncap: {{records: 100000000, share: 100%}}\nrules:\n{rules}"
    )
}

fn system(number: u32, arguments: &PlanningArguments) -> String {
    let mut text = format!(
        "system: system-{number:04}\nkind: sqlite\nowner: Ada Example\nconnection: {{url: 'sqlite:system-{number:04}.db'}}\nzone: UTC\ncollections:\n"
    );
    for collection in 0..arguments.collections {
        let category = (number * arguments.collections + collection) % arguments.rules;
        write!(
            text,
            "  collection_{collection:03}:
    key: id
    fields:
      id: {{type: integer}}
      email: {{type: text, category: category-{category:03}, identity: email}}
      note: {{type: text, category: category-{category:03}}}
      written_at: {{type: timestamp}}
    starting_points: {{collection: written_at}}
"
        )
        .unwrap_or_default();
    }
    text
}
