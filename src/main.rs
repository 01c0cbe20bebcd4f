//! The binary `quietus`.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    ExitCode::from(quietus::cli::main(&quietus::cli::Arguments::parse()))
}
