//! Figures of the whole product on this machine, each beside something that is measured in the same
//! run: (a) empty jobs a second beside two job queues, (b) evidence and certificates, (c) a large
//! data map and a crowd's requests with how they grow, (e) memory, start and sizes. Figure (d), how
//! fast records go, is in `connectors/benches`, and a proof from a log of ten million entries in
//! `benches/log.rs`.
//!
//! ```text
//! cargo bench --bench figures -- --help
//! ```
//!
//! Nothing is asserted about speed, but everything that is counted as done is looked up afterwards:
//! a figure of work that was not done would be worth nothing.

#![expect(clippy::print_stdout, reason = "the numbers are the product")]
#![expect(clippy::expect_used, reason = "a measurement that cannot go on stops loudly")]

mod arguments;
mod certificates;
mod crowd;
mod evidence;
mod ground;
mod machine;
mod measure;
mod memory_system;
mod peers;
mod planning;
mod plot;
mod process;
mod queue;
mod race;
mod replica;
mod report;

use std::path::Path;

use arguments::{Arguments, Database, What};
use mimalloc::MiMalloc;
use report::Report;

// As the binary has it: replicas are processes of this program.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

#[tokio::main(flavor = "multi_thread")]
async fn main() {
    let arguments = arguments::read();
    match &arguments.what {
        What::Replica(replica) => replica::run(replica).await,
        What::Plan(folder) => planning::plan_folder(folder),
        What::Carry(carry) => Box::pin(crowd::carry(carry)).await,
        _ => Box::pin(measure(&arguments)).await,
    }
}

async fn measure(arguments: &Arguments) {
    let server = server(arguments);
    if let Err(why) = can_measure(&arguments.what, server.as_deref()) {
        eprintln!("error: {why}");
        std::process::exit(2);
    }
    let mut report = Report::new();
    if let Some(server) = &server {
        report.machine.others.push(product_of(server).await);
    }
    let plots = arguments.plots.as_deref();
    let server = server.as_deref();
    if let What::All = arguments.what {
        for name in ["process", "planning", "evidence", "queue", "crowd"] {
            Box::pin(figure(&What::by_default(name), server, plots, &mut report)).await;
        }
    } else {
        Box::pin(figure(&arguments.what, server, plots, &mut report)).await;
    }
    println!("\n{}", report.markdown());
    if let Some(file) = &arguments.json {
        report.write_json(file);
    }
}

async fn figure(what: &What, server: Option<&str>, plots: Option<&Path>, report: &mut Report) {
    match what {
        What::Queue(arguments) => {
            let drawing = Box::pin(queue::measure(arguments, server, report)).await;
            draw(plots, "figures-jobs.svg", &drawing);
        }
        What::Evidence(arguments) => {
            Box::pin(evidence::measure(arguments, server, report)).await;
            Box::pin(certificates::measure(arguments, server, report)).await;
        }
        What::Planning(arguments) => {
            let grown = Box::pin(planning::measure(arguments, report)).await;
            let drawing = plot::growth("Reading and planning a data map", "collections", &grown);
            draw(plots, "figures-planning.svg", &drawing);
        }
        What::Crowd(arguments) => {
            let grown = Box::pin(crowd::measure(arguments, server, report)).await;
            let title = "Requests of many persons, from the first to the last certificate";
            draw(plots, "figures-growth.svg", &plot::growth(title, "jobs", &grown));
        }
        What::Process(arguments) => Box::pin(process::measure(arguments, server, report)).await,
        What::All | What::Replica(_) | What::Plan(_) | What::Carry(_) => {}
    }
}

fn draw(plots: Option<&Path>, name: &str, drawing: &str) {
    if let Some(folder) = plots {
        std::fs::write(folder.join(name), drawing).expect("the drawing can be written");
    }
}

/// The server that was named, or the one of the tests.
#[expect(clippy::disallowed_methods, reason = "`tests/run` names the servers this way")]
fn server(arguments: &Arguments) -> Option<String> {
    let named = arguments.postgres.clone();
    named.or_else(|| std::env::var("QUIETUS_TEST_POSTGRES_URL").ok())
}

/// What is missing, and what to do.
fn can_measure(what: &What, server: Option<&str>) -> Result<(), String> {
    let database = match what {
        What::Queue(arguments) => arguments.database,
        What::Evidence(arguments) => arguments.database,
        What::Crowd(arguments) => Some(arguments.database.unwrap_or(Database::Sqlite)),
        What::All => None,
        _ => return Ok(()),
    };
    if database == Some(Database::Sqlite) || server.is_some() {
        return Ok(());
    }
    Err("there is no PostgreSQL server: give one with `--postgres URL`, start one with `tests/run --servers`, or measure `--database sqlite` alone".to_owned())
}

/// What a server says that it is, and whether it waits for its disk.
async fn product_of(server: &str) -> String {
    use sqlx::Connection as _;
    let mut connection = sqlx::PgConnection::connect(server).await.expect("the server answers");
    let query = "SELECT 'PostgreSQL ' || current_setting('server_version') || ' (fsync '
        || current_setting('fsync') || ')'";
    let told: String = sqlx::query_scalar(query).fetch_one(&mut connection).await.expect("a text");
    connection.close().await.expect("closed");
    told
}
