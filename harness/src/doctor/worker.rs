//! Whether workers, which do all measuring, start and answer.

use std::time::{Duration, Instant};

use super::Finding;
use crate::worker::client::{Client, Launch};

/// Longest wait for an answer.
const PATIENCE: Duration = Duration::from_secs(20);
/// Memory that a worker without a model may take.
const MEMORY_BYTES: u64 = 1 << 30;

/// Starts this program as a worker and greets it.
pub fn answers() -> Finding {
    let start = Instant::now();
    let started = std::env::current_exe().map_err(|e| e.to_string());
    let answered = started.and_then(|program| Client::start(&Launch::own(program, PATIENCE, MEMORY_BYTES)).map_err(|e| e.to_string()));
    match answered {
        Ok(worker) => {
            let ms = start.elapsed().as_secs_f64() * 1e3;
            drop(worker);
            Finding::good(format!("a worker starts and answers in {ms:.0} ms")).with("answer-ms", ms)
        }
        Err(error) => Finding::stops(
            format!("no worker answers: {error}"),
            "nothing is measured without workers: see that this program may start itself",
        ),
    }
}
