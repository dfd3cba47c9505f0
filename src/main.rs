//! The binary `qianyi`: arguments → one library call → what is printed → exit status.

mod cli;

fn main() -> std::process::ExitCode {
    cli::main()
}
