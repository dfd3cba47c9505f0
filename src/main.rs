//! The binary `qianyi`: arguments → one library call → what is printed → exit status.

mod cli;

/// Streams of small batches allocate and free from several threads all the time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    // A kernel that refuses leaves the process as it is: slower, not wrong.
    #[cfg(target_os = "linux")]
    let _ = rustix::thread::disable_transparent_huge_pages(true);
    cli::main()
}
