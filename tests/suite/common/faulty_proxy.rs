//! A proxy before a database that breaks connections where the test decides.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use super::postgres::Database;

/// What breaks off around a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// The commit never gets there.
    Before,
    /// It is done, and its answer is lost.
    After,
    /// Nothing breaks, and nothing goes on: as if the process was frozen there.
    Freeze,
}

/// When a connection breaks, and how.
struct Break {
    /// What is asked of the database as it breaks.
    at: &'static [u8],
    /// How often that is asked before and nothing happens.
    after: u32,
    cut: Cut,
}

/// A proxy before a database.
pub struct FaultyProxy {
    cut: Cut,
    /// The breaks still to come, one after another.
    breaks: Arc<Mutex<VecDeque<Break>>>,
}

impl FaultyProxy {
    /// One that breaks so, and the database as it is reached by it.
    pub fn new(database: &Database, cut: Cut) -> (FaultyProxy, Database) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let breaks = Arc::new(Mutex::new(VecDeque::new()));
        let (server, to_come) = (database.port, Arc::clone(&breaks));
        std::thread::spawn(move || {
            for client in listener.incoming() {
                // A server that is down takes no connection, and nor does its proxy.
                let Ok(server) = TcpStream::connect((Ipv4Addr::LOCALHOST, server)) else {
                    continue;
                };
                let to_come = Arc::clone(&to_come);
                std::thread::spawn(move || carry(client.unwrap(), server, &to_come));
            }
        });
        (FaultyProxy { cut, breaks }, Database { port, ..database.clone() })
    }

    /// Breaks at the commit after the next so many.
    pub fn break_after(&self, commits: u32) {
        self.break_so(self.cut, commits);
    }

    /// Breaks in this way at the commit after the next so many.
    pub fn break_so(&self, cut: Cut, commits: u32) {
        let next = Break { at: b"COMMIT\0", after: commits, cut };
        self.breaks.lock().unwrap().push_back(next);
    }

    /// Breaks once more as the next transaction begins.
    pub fn and_at_the_next_begin(&self) {
        let next = Break { at: b"BEGIN\0", after: 0, cut: Cut::Before };
        self.breaks.lock().unwrap().push_back(next);
    }

    pub fn has_broken(&self) -> bool {
        self.breaks.lock().unwrap().is_empty()
    }
}

fn carry(mut client: TcpStream, mut server: TcpStream, breaks: &Mutex<VecDeque<Break>>) {
    let (mut back, mut from) = (client.try_clone().unwrap(), server.try_clone().unwrap());
    let returning = std::thread::spawn(move || {
        let _ = std::io::copy(&mut from, &mut back);
        let _ = back.shutdown(Shutdown::Both);
    });
    let mut bytes = [0; 64 * 1024];
    while let Ok(read @ 1..) = client.read(&mut bytes) {
        let asked = &bytes[..read];
        let has = |part: &[u8]| asked.windows(part.len()).any(|window| window == part);
        let broken = {
            let mut breaks = breaks.lock().unwrap();
            match breaks.front_mut().filter(|next| has(next.at)) {
                Some(Break { after: 0, cut, .. }) => {
                    let cut = *cut;
                    breaks.pop_front();
                    Some(cut)
                }
                Some(next) => {
                    next.after -= 1;
                    None
                }
                None => None,
            }
        };
        if let Some(cut) = broken {
            break_off(cut, asked, &client, &mut server);
            returning.join().unwrap();
            return;
        }
        if server.write_all(asked).is_err() {
            return;
        }
    }
    let _ = server.shutdown(Shutdown::Both);
}

fn break_off(cut: Cut, asked: &[u8], client: &TcpStream, server: &mut TcpStream) {
    match cut {
        Cut::Freeze => {}
        Cut::Before => {
            let _ = client.shutdown(Shutdown::Both);
            let _ = server.shutdown(Shutdown::Both);
        }
        Cut::After => {
            let _ = client.shutdown(Shutdown::Both);
            let _ = server.write_all(asked);
            // It sees that nobody is there once it has carried it out.
            let _ = server.shutdown(Shutdown::Write);
        }
    }
}
