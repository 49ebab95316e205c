//! All automation of the repository: `cargo xtask COMMAND`.
//!
//! A command is a row in [`COMMANDS`] and a file of its own.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

mod bench;
mod ci;
mod example;
mod pack;
mod tidy;
mod tree;

/// One command.
#[derive(Debug)]
pub(crate) struct Command {
    /// What is typed.
    name: &'static str,
    /// What it does and which options it has, for people.
    about: &'static str,
    /// Runs it in the repository's root with the arguments behind its name; says whether all is well.
    run: fn(&Path, &[String]) -> anyhow::Result<bool>,
}

/// All commands, sorted by name.
static COMMANDS: &[&Command] = &[&bench::COMMAND, &ci::COMMAND, &example::COMMAND, &tidy::COMMAND];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let name = arguments.first().map_or("", String::as_str);
    let Some(command) = COMMANDS.iter().find(|command| command.name == name) else {
        eprintln!("usage: cargo xtask COMMAND");
        for Command { name, about, .. } in COMMANDS {
            eprintln!("  {name:<10} {about}");
        }
        return ExitCode::from(if matches!(name, "" | "help" | "--help" | "-h") { 0 } else { 3 });
    };
    match (command.run)(&root(), arguments.get(1..).unwrap_or_default()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}

/// The repository's root: cargo says where this package is.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the package is one level down").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_unique_and_sorted() {
        assert!(COMMANDS.windows(2).all(|pair| pair[0].name < pair[1].name));
    }
}
