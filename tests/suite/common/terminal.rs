//! A real pseudo-terminal, with the program at it.

use std::fs::File;
use std::io::{Read, Write};
use std::process::{Child, Command};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

/// A person at a terminal.
pub struct Terminal {
    hands: File,
    child: Child,
    seen: String,
}

impl Terminal {
    /// Starts a program with all three streams on a terminal, which is an xterm unless `TERM` is set.
    pub fn with(mut command: Command) -> Terminal {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let hands = openpt(flags).unwrap();
        grantpt(&hands).unwrap();
        unlockpt(&hands).unwrap();
        let name = ptsname(&hands, Vec::new()).unwrap().into_string().unwrap();
        let stream = || File::options().read(true).write(true).open(&name).unwrap();
        if command.get_envs().all(|(name, _)| name != "TERM") {
            command.env("TERM", "xterm");
        }
        let child = command.stdin(stream()).stdout(stream()).stderr(stream()).spawn().unwrap();
        Terminal { hands: hands.into(), child, seen: String::new() }
    }

    /// Reads until this is on the screen.
    #[track_caller]
    pub fn sees(&mut self, text: &str) -> &mut Self {
        while !self.seen.contains(text) {
            assert!(self.read(), "never seen: {text}\n{}", self.seen);
        }
        self
    }

    /// Types a line.
    pub fn types(&mut self, line: &str) -> &mut Self {
        writeln!(self.hands, "{line}").unwrap();
        self
    }

    /// Reads to the end; gives the exit code and all that was on the screen.
    pub fn ends(mut self) -> (Option<i32>, String) {
        while self.read() {}
        (self.child.wait().unwrap().code(), self.seen)
    }

    /// Reading fails once nobody is at the other side any more.
    fn read(&mut self) -> bool {
        let mut bytes = [0; 4096];
        match self.hands.read(&mut bytes) {
            Ok(0) | Err(_) => false,
            Ok(length) => {
                self.seen.push_str(&String::from_utf8_lossy(&bytes[..length]).replace('\r', ""));
                true
            }
        }
    }
}
