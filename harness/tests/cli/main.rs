//! The command line from outside: real runs of the real binary on committed fixtures.

#![expect(clippy::unwrap_used, reason = "a test ends in a panic")]

mod acceptance;
mod artifacts;
mod bad_input;
mod calibrate;
mod commands;
mod determinism;
mod doctor;
mod error_table;
mod fetch;
mod gate;
mod golden;
mod history;
mod init;
mod interruption;
mod migration;
mod mixed;
mod page;
mod paired;
mod registry;
mod repository;
mod self_test;
mod shards;
mod standard;
mod support;
