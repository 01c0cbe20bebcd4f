//! `quietus init`: a commented folder to start from, which passes `check` as it is.

use std::io::Write;
use std::path::{Path, PathBuf};

use rust_embed::RustEmbed;

use super::opening::complain;
use crate::config;

#[derive(RustEmbed)]
#[folder = "src/config/start"]
struct Start;

/// Write a commented folder to start from
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  quietus init my-company           then: cd my-company && quietus check")]
pub struct InitArgs {
    /// The folder; the present one if left out
    #[arg(value_name = "FOLDER", default_value = ".")]
    pub dir: PathBuf,
}

/// Writes the folder; ends with 0, or 2 where something is there already or cannot be written.
///
/// # Errors
/// Where `out` cannot be written to.
pub fn run(args: &InitArgs, out: &mut dyn Write) -> std::io::Result<u8> {
    let mut files: Vec<(PathBuf, Vec<u8>)> = Start::iter()
        .filter_map(|name| {
            let content = Start::get(&name)?.data.into_owned();
            // Version control would take a `.gitignore` among our own sources for its own.
            let path = if name == "gitignore" { ".gitignore" } else { name.as_ref() };
            Some((args.dir.join(path), content))
        })
        .collect();
    files.sort();
    let there: Vec<&Path> =
        files.iter().map(|(path, _)| path.as_path()).filter(|path| path.exists()).collect();
    if !there.is_empty() {
        complain(&format!(
            "nothing was written: `{}` is there already; name an empty folder: `quietus init FOLDER`",
            there[0].display()
        ));
        return Ok(2);
    }
    for (path, content) in &files {
        if let Err(error) = write_new(path, content) {
            complain(&format!(
                "`{}` cannot be written: {}; name a new folder: `quietus init FOLDER`",
                path.display(),
                config::why(&error)
            ));
            return Ok(2);
        }
        writeln!(out, "wrote {}", path.display())?;
    }
    let dir = args.dir.display();
    writeln!(
        out,
        "\nNext:\n  1. quietus check --dir {dir}\n  2. describe your systems in {dir}/systems (`quietus datamap draft` writes a first draft)\n  3. write your rules in {dir}/schedules, each with its legal basis"
    )?;
    Ok(0)
}

/// Writes a file that is not there yet.
fn write_new(path: &Path, content: &[u8]) -> std::io::Result<()> {
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent)?;
    }
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).open(path)?;
    file.write_all(content)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A binary that reads them from the disk works only beside its sources.
    #[test]
    fn the_files_are_inside_of_the_binary() {
        let names: Vec<_> = Start::iter().collect();
        assert!(names.len() > 5, "{names:?}");
        for name in names {
            let file = Start::get(&name).unwrap();
            assert!(matches!(file.data, std::borrow::Cow::Borrowed(_)), "{name}");
        }
    }

    #[test]
    fn what_it_writes_passes_check_and_is_never_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let args = InitArgs { dir: folder.path().join("erasure") };
        let mut out = Vec::new();
        assert_eq!(run(&args, &mut out).unwrap(), 0);
        assert!(args.dir.join(".gitignore").exists());
        let loaded = crate::config::load(&args.dir).map_err(|it| it.to_string()).unwrap();
        assert_eq!(loaded.warnings.found, []);
        for file in ["quietus.yaml", "systems/example.yaml", "schedules/retention.yaml"] {
            let path = args.dir.join(file);
            let text = std::fs::read_to_string(&path).unwrap();
            let line = text.lines().next().unwrap();
            let schema = line.strip_prefix("# yaml-language-server: $schema=").unwrap();
            assert!(path.parent().unwrap().join(schema).exists(), "{file}: {schema}");
        }
        std::fs::remove_file(args.dir.join("README.md")).unwrap();
        let mut out = Vec::new();
        assert_eq!(run(&args, &mut out).unwrap(), 2);
        assert!(!args.dir.join("README.md").exists());
        assert_eq!(out, b"");
    }
}
