//! A way to a server that can fall silent: connections stay open, new ones are taken, and no byte passes any more.

use std::{
    io::{ErrorKind, Read as _, Write as _},
    net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

const TICK: Duration = Duration::from_millis(50);

/// Passes bytes on, until it is silenced.
pub(crate) struct Proxy {
    address: SocketAddr,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    silent: AtomicBool,
    over: AtomicBool,
}

impl Proxy {
    /// To the server at `to`.
    pub(crate) fn start(to: SocketAddr) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        listener.set_nonblocking(true).unwrap();
        let state = Arc::new(State::default());
        let shared = Arc::clone(&state);
        named("proxy", move || {
            while !shared.over.load(Ordering::Relaxed) {
                match listener.accept() {
                    Ok((client, _)) => connect(client, to, &shared),
                    Err(_) => thread::sleep(TICK),
                }
            }
        });
        Self { address, state }
    }

    /// The port of 127.0.0.1 where it listens.
    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    /// From now on no byte passes; or they do again, those that came in the meantime first.
    pub(crate) fn set_silent(&self, silent: bool) {
        self.state.silent.store(silent, Ordering::Relaxed);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.state.over.store(true, Ordering::Relaxed);
    }
}

fn named(name: &str, work: impl FnOnce() + Send + 'static) {
    thread::Builder::new().name(name.to_owned()).spawn(work).unwrap();
}

fn connect(client: TcpStream, to: SocketAddr, state: &Arc<State>) {
    client.set_nonblocking(false).unwrap();
    let Ok(server) = TcpStream::connect(to) else { return };
    for (from, to) in [(&client, &server), (&server, &client)] {
        let (from, to, state) = (from.try_clone().unwrap(), to.try_clone().unwrap(), Arc::clone(state));
        named("proxy-way", move || pass(from, to, &state));
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream, state: &State) {
    from.set_read_timeout(Some(TICK)).unwrap();
    let mut bytes = [0; 16 << 10];
    while !state.over.load(Ordering::Relaxed) {
        match from.read(&mut bytes) {
            Ok(0) => break,
            Ok(count) => {
                while state.silent.load(Ordering::Relaxed) && !state.over.load(Ordering::Relaxed) {
                    thread::sleep(TICK);
                }
                if to.write_all(&bytes[..count]).is_err() {
                    break;
                }
            }
            Err(why) if matches!(why.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(_) => break,
        }
    }
    let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
}
