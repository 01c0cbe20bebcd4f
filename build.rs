//! Builds again when a file comes into or goes from a folder that is embedded in the binary.

fn main() {
    for folder in ["migrations", "src/config/start"] {
        println!("cargo::rerun-if-changed={folder}");
    }
}
