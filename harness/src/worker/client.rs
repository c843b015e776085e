//! The harness's side: starts a worker, asks it one thing at a time, and ends it when it hangs, dies or eats memory.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::heap::LIMIT_MESSAGE;
use super::protocol::{Reply, Request, VERSION};

/// How often a waiting client looks at the worker's memory.
const POLL: Duration = Duration::from_millis(10);
/// What is kept of a worker's stderr.
const STDERR_KEPT: usize = 16 * 1024;

/// Models up to this size have the timeout as it was given.
const TIMEOUT_COVERS: u64 = 100_000_000;
/// Beyond, each byte gives the time of a kernel that does 2 MB a second.
const TIMEOUT_BYTES_PER_MS: u64 = 2_000;

/// Settings of the GNU C library's allocator, which others ignore: memory that was freed is kept for the next pass or batch instead of being
/// returned to the system and faulted in anew, which took a quarter of an evaluation's time.
const ALLOCATOR: [(&str, &str); 3] =
    [("MALLOC_MMAP_THRESHOLD_", "33554432"), ("MALLOC_TRIM_THRESHOLD_", "1073741824"), ("MALLOC_TOP_PAD_", "16777216")];

/// How a worker is started and what it may use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Launch {
    /// Program to run.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// Longest time for one request.
    pub timeout: Duration,
    /// Most resident memory.
    pub memory_limit_bytes: u64,
}

impl Launch {
    /// The same, with time for a model of that size: a model that is tens of times as large may take tens of times as long.
    pub fn for_model(&self, bytes: u64) -> Self {
        let more = Duration::from_millis(bytes.saturating_sub(TIMEOUT_COVERS) / TIMEOUT_BYTES_PER_MS);
        Self { timeout: self.timeout.saturating_add(more), ..self.clone() }
    }

    /// This same program's `worker` command.
    pub fn own(program: PathBuf, timeout: Duration, memory_limit_bytes: u64) -> Self {
        let arguments = vec!["worker".to_owned(), "--memory-limit".to_owned(), memory_limit_bytes.to_string()];
        Self { program, arguments, timeout, memory_limit_bytes }
    }
}

/// Why a request got no answer that could be used.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// The program cannot be started.
    #[error("cannot start worker '{}': {source}", program.display())]
    Spawn {
        /// The program.
        program: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// It ended without an answer.
    #[error("worker died ({status}){}", detail(stderr))]
    Died {
        /// Exit status.
        status: String,
        /// The end of its stderr.
        stderr: String,
    },
    /// It panicked.
    #[error("worker panicked: {message}")]
    Panicked {
        /// The panic's place and message.
        message: String,
    },
    /// It took too long.
    #[error("worker gave no answer within {}", humantime::format_duration(*timeout))]
    TimedOut {
        /// The limit.
        timeout: Duration,
    },
    /// It used too much memory.
    #[error("worker went over the memory limit of {}", bytesize::ByteSize(*limit_bytes))]
    OverMemory {
        /// The limit.
        limit_bytes: u64,
    },
    /// It answered that it cannot.
    #[error("{message}")]
    Refused {
        /// Its reason.
        message: String,
    },
    /// It does not speak the protocol.
    #[error("worker '{}' does not speak protocol {VERSION}: {message}", program.display())]
    Protocol {
        /// The program.
        program: PathBuf,
        /// What it said.
        message: String,
    },
}

fn detail(stderr: &str) -> String {
    let last = stderr.trim().lines().next_back().unwrap_or_default();
    if last.is_empty() { String::new() } else { format!(": {last}") }
}

/// Whether it is shown which workers start, and what they say on standard error.
static SHOWN: AtomicBool = AtomicBool::new(false);

/// From now on shows which workers start, and passes on what they say on standard error.
pub fn show_workers() {
    SHOWN.store(true, Ordering::Relaxed);
}

/// A running worker. Dropping it ends the process.
#[derive(Debug)]
pub struct Client {
    launch: Launch,
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<std::io::Result<String>>,
    stderr: Arc<Mutex<Vec<u8>>>,
    stderr_reader: Option<std::thread::JoinHandle<()>>,
}

impl Client {
    /// Starts a worker and greets it.
    pub fn start(launch: &Launch) -> Result<Self, WorkerError> {
        let spawn = |source| WorkerError::Spawn { program: launch.program.clone(), source };
        let mut child = Command::new(&launch.program)
            .args(&launch.arguments)
            .env("RAYON_NUM_THREADS", "1")
            .envs(ALLOCATOR)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(spawn)?;
        if SHOWN.load(Ordering::Relaxed) {
            eprintln!("worker {}: {} {}", child.id(), launch.program.display(), launch.arguments.join(" "));
        }
        let (sender, lines) = channel();
        if let Some(stdout) = child.stdout.take() {
            std::thread::spawn(move || {
                for line in BufReader::new(stdout).lines() {
                    if sender.send(line).is_err() {
                        break;
                    }
                }
            });
        }
        let stderr = Arc::new(Mutex::new(Vec::new()));
        let stderr_reader = child.stderr.take().map(|pipe| {
            let kept = Arc::clone(&stderr);
            std::thread::spawn(move || keep_tail(pipe, &kept))
        });
        let stdin = child.stdin.take();
        let mut client = Self { launch: launch.clone(), child, stdin, lines, stderr, stderr_reader };
        match client.ask(&Request::Hello { protocol: VERSION })? {
            Reply::Hello { protocol: VERSION, .. } => Ok(client),
            other => Err(client.unexpected(&other)),
        }
    }

    /// Asks and waits for the answer. An `error` reply becomes [`WorkerError::Refused`].
    pub fn ask(&mut self, request: &Request) -> Result<Reply, WorkerError> {
        let mut line = serde_json::to_string(request).map_err(|e| self.protocol(e.to_string()))?;
        line.push('\n');
        let sent = self.stdin.as_mut().map(|stdin| stdin.write_all(line.as_bytes()).and_then(|()| stdin.flush()));
        if !matches!(sent, Some(Ok(()))) {
            return Err(self.died());
        }
        let start = Instant::now();
        loop {
            match self.lines.recv_timeout(POLL) {
                Ok(Ok(line)) => {
                    return match serde_json::from_str(&line) {
                        Ok(Reply::Error { message }) => Err(WorkerError::Refused { message }),
                        Ok(reply) => Ok(reply),
                        Err(e) => Err(self.protocol(format!("{e} in '{}'", line.chars().take(120).collect::<String>()))),
                    };
                }
                Ok(Err(_)) | Err(RecvTimeoutError::Disconnected) => return Err(self.died()),
                Err(RecvTimeoutError::Timeout) => {}
            }
            if start.elapsed() > self.launch.timeout {
                self.kill();
                return Err(WorkerError::TimedOut { timeout: self.launch.timeout });
            }
            if resident_bytes(self.child.id()).is_some_and(|bytes| bytes > self.launch.memory_limit_bytes) {
                self.kill();
                return Err(WorkerError::OverMemory { limit_bytes: self.launch.memory_limit_bytes });
            }
        }
    }

    /// An error for a reply of the wrong kind.
    pub fn unexpected(&self, reply: &Reply) -> WorkerError {
        self.protocol(format!("unexpected reply {reply:?}"))
    }

    fn protocol(&self, message: String) -> WorkerError {
        WorkerError::Protocol { program: self.launch.program.clone(), message }
    }

    /// What its end and its stderr say.
    fn died(&mut self) -> WorkerError {
        self.stdin = None;
        // A worker that closed its output is given a moment to end by itself, so that its status can be told.
        let deadline = Instant::now() + Duration::from_secs(2);
        let status = loop {
            match self.child.try_wait() {
                Ok(Some(status)) => break status.to_string(),
                Ok(None) if Instant::now() < deadline => std::thread::sleep(POLL),
                _ => {
                    self.kill();
                    break "closed its output".to_owned();
                }
            }
        };
        if let Some(reader) = self.stderr_reader.take() {
            let _ = reader.join();
        }
        let stderr = self.stderr.lock().map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
        if stderr.contains(LIMIT_MESSAGE) {
            return WorkerError::OverMemory { limit_bytes: self.launch.memory_limit_bytes };
        }
        match panic_message(&stderr) {
            Some(message) => WorkerError::Panicked { message },
            None => WorkerError::Died { status, stderr },
        }
    }

    fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        if let Some(mut stdin) = self.stdin.take() {
            let _ = stdin.write_all(b"{\"op\":\"bye\"}\n");
        }
        let deadline = Instant::now() + Duration::from_secs(1);
        while matches!(self.child.try_wait(), Ok(None)) {
            if Instant::now() > deadline {
                self.kill();
                break;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

/// `thread 'x' panicked at src/y.rs:1:2:` and the line after it, joined.
fn panic_message(stderr: &str) -> Option<String> {
    let at = stderr.find(" panicked at ")?;
    let mut lines = stderr[at + " panicked at ".len()..].lines();
    let place = lines.next()?.trim_end_matches(':');
    let message = lines.next().unwrap_or_default();
    Some(format!("{message} (at {place})"))
}

fn keep_tail(mut pipe: impl Read, kept: &Mutex<Vec<u8>>) {
    let mut buffer = [0u8; 4096];
    while let Ok(n @ 1..) = pipe.read(&mut buffer) {
        if SHOWN.load(Ordering::Relaxed) {
            // Whoever reads may have stopped.
            let _ = std::io::stderr().write_all(&buffer[..n]);
        }
        if let Ok(mut kept) = kept.lock() {
            kept.extend_from_slice(&buffer[..n]);
            let excess = kept.len().saturating_sub(STDERR_KEPT);
            kept.drain(..excess);
        }
    }
}

/// Resident memory of a process, where the system tells.
fn resident_bytes(pid: u32) -> Option<u64> {
    let statm = std::fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("statm")).ok()?;
    let pages = statm.split_whitespace().nth(1)?.parse::<u64>().ok()?;
    Some(pages * u64::try_from(rustix::param::page_size()).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_told_from_a_death() {
        let stderr = "\nthread 'main' (12) panicked at src/kernels/x.rs:10:5:\nindex out of bounds\nnote: run with\n";
        assert_eq!(panic_message(stderr).unwrap(), "index out of bounds (at src/kernels/x.rs:10:5)");
        assert_eq!(panic_message("killed"), None);
    }

    fn shell(script: &str, timeout_ms: u64) -> Result<Client, WorkerError> {
        Client::start(&Launch {
            program: "/bin/sh".into(),
            arguments: vec!["-c".into(), script.into()],
            timeout: Duration::from_millis(timeout_ms),
            memory_limit_bytes: 1 << 30,
        })
    }

    #[test]
    fn strangers_hangs_and_deaths_are_told_apart() {
        assert!(matches!(shell("read x; echo hi; sleep 1", 5000), Err(WorkerError::Protocol { .. })));
        assert!(matches!(shell("sleep 30", 100), Err(WorkerError::TimedOut { .. })));
        let error = shell("read x; echo out of luck >&2; exit 9", 5000).unwrap_err();
        assert_eq!(error.to_string(), "worker died (exit status: 9): out of luck");
        let error = Client::start(&Launch {
            program: "/no/such/worker".into(),
            arguments: vec![],
            timeout: Duration::from_secs(1),
            memory_limit_bytes: 0,
        });
        assert!(matches!(error, Err(WorkerError::Spawn { .. })));
    }
}
