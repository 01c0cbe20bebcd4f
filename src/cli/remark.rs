//! How the command line reads remarks: a refusal names the option and never repeats the text.

use std::ffi::OsStr;

use clap::builder::{TypedValueParser, ValueParserFactory};
use clap::error::ErrorKind;
use clap::{Arg, Command};

use crate::app::Actor;
use crate::domain::Remark;

/// Who acts.
pub fn actor(by: &Remark) -> Actor {
    Actor(by.to_string())
}

/// Reads a [`Remark`].
#[derive(Debug, Clone)]
pub struct RemarkParser;

impl ValueParserFactory for Remark {
    type Parser = RemarkParser;

    fn value_parser() -> RemarkParser {
        RemarkParser
    }
}

impl TypedValueParser for RemarkParser {
    type Value = Remark;

    fn parse_ref(
        &self,
        command: &Command,
        argument: Option<&Arg>,
        value: &OsStr,
    ) -> Result<Remark, clap::Error> {
        // Text that is not UTF-8 has other characters than it shows.
        let read = Remark::parse(&value.to_string_lossy());
        read.map_err(|error| {
            let message = format!("{} {error}\n", name_of(argument));
            clap::Error::raw(ErrorKind::ValueValidation, message).with_cmd(command)
        })
    }
}

/// An argument as people write it, with the variable of the environment that stands in for it.
fn name_of(argument: Option<&Arg>) -> String {
    let Some(argument) = argument else { return "the text".to_owned() };
    let name = match argument.get_long() {
        Some(long) => format!("`--{long}`"),
        None => format!("the {}", argument.get_id()),
    };
    match argument.get_env() {
        Some(variable) => format!("{name} (or `{}`)", variable.to_string_lossy()),
        None => name,
    }
}
