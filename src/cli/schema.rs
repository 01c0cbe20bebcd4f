//! `quietus schema`: JSON Schemas of what people write, for editors.

use std::io::Write;
use std::path::PathBuf;

use super::opening::complain;
use crate::config;
use crate::config::schema::{NAMES, schema};

/// Print or write the JSON Schemas of quietus.yaml, of systems and of rule packs
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  quietus schema pack
  quietus schema --write schema     all of them, where editors find them")]
pub struct SchemaArgs {
    /// Which one; all of them if left out
    #[arg(value_parser = NAMES)]
    pub name: Option<String>,
    /// Write `instance.json`, `system.json` and `pack.json` into this folder
    #[arg(long, value_name = "DIR")]
    pub write: Option<PathBuf>,
}

/// Prints or writes schemas; ends with 0, or 2 where a file cannot be written.
///
/// # Errors
/// Where `out` cannot be written to.
pub fn run(args: &SchemaArgs, out: &mut dyn Write) -> std::io::Result<u8> {
    let chosen = NAMES.into_iter().filter(|name| args.name.as_deref().is_none_or(|it| it == *name));
    for name in chosen {
        let Some(text) = schema(name) else { continue };
        let Some(folder) = &args.write else {
            out.write_all(text.as_bytes())?;
            continue;
        };
        let path = folder.join(format!("{name}.json"));
        let written = std::fs::create_dir_all(folder).and_then(|()| std::fs::write(&path, text));
        match written {
            Ok(()) => writeln!(out, "wrote {}", path.display())?,
            Err(error) => {
                let why = config::why(&error);
                complain(&format!("`{}` cannot be written: {why}", path.display()));
                return Ok(2);
            }
        }
    }
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_all_or_prints_one() {
        let folder = tempfile::tempdir().unwrap();
        let mut out = Vec::new();
        let args = SchemaArgs { name: None, write: Some(folder.path().join("schema")) };
        assert_eq!(run(&args, &mut out).unwrap(), 0);
        assert!(folder.path().join("schema/pack.json").exists());
        let mut out = Vec::new();
        let args = SchemaArgs { name: Some("system".to_owned()), write: None };
        assert_eq!(run(&args, &mut out).unwrap(), 0);
        let schema: serde_json::Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(schema["title"], "Quietus: data map of a system");
    }
}
