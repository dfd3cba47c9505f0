//! The binary: arguments → one library call → what is printed.
fn main() {}
