//! The binary: reads the command line, runs one command, turns its outcome into an exit code.
//!
//! Exit codes: 0 the job is done; 1 a threshold is met; 2 the job could not be done, or was done with gaps
//! that could hide something; 3 the command line or the configuration is wrong.

mod access;
mod clear;
mod cli;
mod config;
mod distinct;
mod feed_metrics;
mod fleet;
mod http;
mod jobs;
mod logs;
mod mail;
mod notify;
mod oci;
mod pipeline;
mod progress;
mod refusal;
mod rematch;
mod schedule;
mod search;
mod server;
mod signing;
mod standings;
mod threshold;
mod traces;
mod ui;
mod upstreams;
mod warnings;
mod watch;
mod watched;

use std::process::ExitCode;

use mimalloc::MiMalloc;

/// Findings and reports are many small texts: measured, the system's allocator took a quarter of a warm scan.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    cli::run(std::env::args_os()).into()
}
