//! A simulator of CoreCARD: a real HTTP/1.1 server on loopback that cancels physical
//! card orders which exist only in its memory, and that can be configured to be slow, full,
//! and unreliable in every way a real one has been.
//!
//! Everything that happens to an order is drawn from a seed, so a scenario can be
//! repeated exactly: see [`SimulatorSettings`]. What the simulator did can be asked for at any
//! time ([`Simulator::stats`], [`Simulator::orders`]), and it can keep a record file:
//! CSV, one line for each request, in the order in which they ended, written at least
//! every 200 ms:
//!
//! | column | meaning |
//! |---|---|
//! | `received_at_ns` | when the last byte of the request was read, in nanoseconds since 1970 |
//! | `ended_at_ns` | when it was answered, or its client had gone before that |
//! | `admin_number`, `sequence_number` | the order; empty if the request named none |
//! | `nth` | which of the requests for this order it was, from 1 on |
//! | `did` | what it did to the order: a [`ProcessResult`], or `nothing` |
//! | `answer` | the response: an [`Answer`] or a [`Fault`] |

mod capacity;
mod clock;
mod connection;
mod fault;
mod handler;
mod head;
mod http;
mod labeled_enum;
mod labels;
mod latency;
mod login;
mod login_behavior;
mod orders;
mod peak;
mod recorder;
mod refusal;
mod request;
mod response;
mod scenario;
mod settings;
mod share;
mod stats;
#[cfg(test)]
mod tests;
mod window;

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, JoinSet};

use handler::Handler;
use recorder::Recorder;

pub use crate::model::Order;
pub use fault::Fault;
pub use labels::{Answer, InitialState, ProcessResult};
pub use latency::{Latency, LatencyError};
pub use login_behavior::LoginBehavior;
pub use orders::OrderState;
pub use settings::{SimulatorSettings, SimulatorSettingsError};
pub use share::{Share, ShareError};
pub use stats::Stats;

/// How long no connection is taken after the system has refused one.
const BREATHER: Duration = Duration::from_millis(10);
/// How many connections may wait to be accepted: the client's kernel tries one that
/// found no room again only after a second.
const MOST_UNACCEPTED: u32 = 4096;

/// Why a simulator could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The settings contradict themselves.
    #[error(transparent)]
    Settings(#[from] SimulatorSettingsError),
    /// The port could not be had.
    #[error("the simulator cannot listen on 127.0.0.1:{port}")]
    Listen {
        /// The port that was asked for.
        port: u16,
        /// The error of the system.
        source: io::Error,
    },
    /// The record file could not be begun.
    #[error("the simulator cannot write its record to {path}", path = path.display())]
    Record {
        /// The file that was asked for.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
}

/// A running simulator. Dropping it stops it too, but does not wait until it has.
#[derive(Debug)]
pub struct Simulator {
    address: SocketAddr,
    handler: Arc<Handler>,
    recorder: Option<Recorder>,
    stop: oneshot::Sender<()>,
    listening: JoinHandle<()>,
}

/// Starts a simulator on a loopback port. Must be called within a tokio runtime with
/// its network and its timer on.
pub async fn start(settings: SimulatorSettings) -> Result<Simulator, StartError> {
    settings.check()?;
    let port = settings.port;
    let listener = bind(port).map_err(|source| StartError::Listen { port, source })?;
    let address = listener.local_addr().map_err(|source| StartError::Listen { port, source })?;
    let record = match &settings.record {
        None => None,
        Some(path) => Some(
            Recorder::start(path)
                .map_err(|source| StartError::Record { path: path.clone(), source })?,
        ),
    };
    let (lines, recorder) = record.unzip();
    let handler = Arc::new(Handler::new(&settings, lines));
    let (stop, stopped) = oneshot::channel();
    let listening = tokio::spawn(listen(listener, Arc::clone(&handler), stopped));
    Ok(Simulator { address, handler, recorder, stop, listening })
}

impl Simulator {
    /// The base URL of the API, such as `http://127.0.0.1:8080`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The statistics so far.
    pub fn stats(&self) -> Stats {
        self.handler.stats()
    }

    /// What became so far of every order that was asked for.
    pub fn orders(&self) -> BTreeMap<Order, OrderState> {
        self.handler.orders()
    }

    /// Stops: closes every connection, whether or not its client has had its answer,
    /// completes the record file, and returns the statistics.
    pub async fn stop(self) -> Stats {
        drop(self.stop);
        // It could only fail by a panic, and then it has stopped too.
        let _ = self.listening.await;
        let mut stats = self.handler.stats();
        if let Some(recorder) = self.recorder {
            stats.record_error = recorder.close().await.err();
        }
        stats
    }
}

fn bind(port: u16) -> io::Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind((Ipv4Addr::LOCALHOST, port).into())?;
    socket.listen(MOST_UNACCEPTED)
}

/// Accepts connections until it is stopped or dropped, then closes them all.
async fn listen(listener: TcpListener, handler: Arc<Handler>, mut stopped: oneshot::Receiver<()>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            _ = &mut stopped => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(connection::serve(stream, Arc::clone(&handler)));
                }
                // Out of file descriptors, most likely: some connections will end.
                Err(_) => tokio::time::sleep(BREATHER).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
    connections.shutdown().await;
}
