//! The command that starts a worker, ready to be pasted where the worker is to run.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use report::command;

/// For a coordinator that listens on `address`: on this machine or, where the address is open to
/// others, on any.
pub fn worker_command(address: SocketAddr) -> String {
    let port = address.port();
    let host = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => own_host(own_v4()),
        // Such a listener takes both kinds of connections.
        IpAddr::V6(ip) if ip.is_unspecified() => own_host(own_v6().or_else(own_v4)),
        _ => return with(&address.to_string()),
    };
    with(&format!("{host}:{port}"))
}

fn with(address: &str) -> String {
    command::line("worker", ["--coordinator", &format!("http://{address}")])
}

/// The address, or this machine's name where no route leads out of it.
fn own_host(ip: Option<IpAddr>) -> String {
    match ip {
        Some(IpAddr::V4(ip)) => ip.to_string(),
        Some(IpAddr::V6(ip)) => format!("[{ip}]"),
        None => {
            let name = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
            if name.trim().is_empty() { "localhost".into() } else { name.trim().into() }
        }
    }
}

fn own_v4() -> Option<IpAddr> {
    own_address(Ipv4Addr::UNSPECIFIED.into(), Ipv4Addr::new(192, 0, 2, 1).into())
}

fn own_v6() -> Option<IpAddr> {
    own_address(Ipv6Addr::UNSPECIFIED.into(), Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1).into())
}

/// This machine's address on the way to `far`, one of those that are kept for documents, so that it is
/// nobody's and the usual route counts. Nothing is sent.
fn own_address(any: IpAddr, far: IpAddr) -> Option<IpAddr> {
    const DISCARD_PORT: u16 = 9;
    let socket = UdpSocket::bind((any, 0)).ok()?;
    socket.connect((far, DISCARD_PORT)).ok()?;
    let ip = socket.local_addr().ok()?.ip();
    (!ip.is_unspecified() && !ip.is_loopback()).then_some(ip)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_of_its_own_stands_as_it_is() {
        let of = |address: &str| worker_command(address.parse().unwrap());
        assert_eq!(of("127.0.0.1:7070"), "worker --coordinator http://127.0.0.1:7070");
        assert_eq!(of("10.0.0.5:1"), "worker --coordinator http://10.0.0.5:1");
        // Brackets are a pattern to a shell.
        assert_eq!(of("[::1]:7070"), "worker --coordinator 'http://[::1]:7070'");
    }

    #[test]
    fn an_open_address_becomes_one_that_others_can_connect_to() {
        for address in ["0.0.0.0:7070", "[::]:7070"] {
            let command = worker_command(address.parse().unwrap());
            let url = command.strip_prefix("worker --coordinator ").unwrap().trim_matches('\'');
            let host = url.strip_prefix("http://").unwrap().strip_suffix(":7070").unwrap();
            assert!(!host.is_empty() && !host.contains(['<', ' ']), "{command}");
            assert!(!["0.0.0.0", "[::]"].contains(&host), "{command}");
        }
        assert_eq!(own_host(Some("fd00::2".parse().unwrap())), "[fd00::2]");
    }
}
