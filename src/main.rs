//! The command line's way into the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    adit::cli::main()
}
