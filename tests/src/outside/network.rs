//! A network of this test's own: a namespace for the coordinator and one for each worker, joined by
//! a router that can be told to drop what goes one way or both.

use std::fs::File;
use std::os::fd::AsFd;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// A loopback address of this machine that nobody else uses, another one each time, so that a
/// program can be started there again.
pub fn own_host() -> String {
    static N_TAKEN: AtomicU32 = AtomicU32::new(0);
    let n = N_TAKEN.fetch_add(1, Ordering::Relaxed);
    let pid = std::process::id();
    format!("127.{}.{}.{}", 1 + pid % 250, (pid / 250 + n / 250) % 250, 1 + n % 250)
}

/// Whose namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    Coordinator,
    Worker(usize),
}

/// Which packets are dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    Both,
    ToCoordinator,
    FromCoordinator,
}

/// Taken away when dropped.
#[derive(Debug)]
pub struct Network {
    tag: String,
    n_workers: usize,
}

impl Network {
    /// `None` where this process may not make one.
    pub fn build(n_workers: usize) -> Option<Self> {
        let network = Self { tag: format!("sweep{}", std::process::id()), n_workers };
        let router = network.router();
        let forward = "echo 1 > /proc/sys/net/ipv4/ip_forward";
        ip(&format!("netns add {router}"))?;
        run(Command::new("ip").args(["netns", "exec", &router, "sh", "-c", forward]))?;
        network.places().into_iter().try_for_each(|place| network.join(place))?;
        Some(network)
    }

    fn places(&self) -> Vec<Place> {
        let workers = (0..self.n_workers).map(Place::Worker);
        std::iter::once(Place::Coordinator).chain(workers).collect()
    }

    /// A place's namespace, wired to the router.
    fn join(&self, place: Place) -> Option<()> {
        let (router, own, wire, net) =
            (self.router(), self.namespace(place), wire(place), subnet(place));
        ip(&format!("netns add {own}"))?;
        ip(&format!("-n {router} link add {wire} type veth peer name eth0 netns {own}"))?;
        ip(&format!("-n {router} addr add {net}.1/24 dev {wire}"))?;
        ip(&format!("-n {router} link set {wire} up"))?;
        ip(&format!("-n {own} addr add {net}.2/24 dev eth0"))?;
        ip(&format!("-n {own} link set lo up"))?;
        ip(&format!("-n {own} link set eth0 up"))?;
        ip(&format!("-n {own} route add default via {net}.1"))
    }

    /// Where the coordinator's programs listen.
    pub fn coordinator_ip() -> String {
        format!("{}.2", subnet(Place::Coordinator))
    }

    /// Does something there; threads and processes started by it stay there.
    pub fn within<T: Send>(&self, place: Place, work: impl FnOnce() -> T + Send) -> T {
        let path = format!("/run/netns/{}", self.namespace(place));
        let enter = || {
            let namespace = File::open(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
            move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))
                .expect("a thread may enter a namespace that it made");
            work()
        };
        thread::scope(|scope| scope.spawn(enter).join()).expect("the work does not panic")
    }

    /// Drops silently what goes between a worker and the coordinator.
    pub fn cut(&self, worker: usize, way: Way) {
        let (router, own) = (self.router(), Place::Worker(worker));
        let (wire, net) = (wire(own), subnet(own));
        let [to, from] = preferences(worker);
        if way != Way::FromCoordinator {
            ip(&format!("-n {router} rule add pref {to} iif {wire} blackhole")).expect("a rule");
        }
        if way != Way::ToCoordinator {
            let rule = format!("-n {router} rule add pref {from} iif c to {net}.0/24 blackhole");
            ip(&rule).expect("a rule");
        }
    }

    pub fn heal(&self, worker: usize) {
        for preference in preferences(worker) {
            // One of them may not have been set.
            let _ = ip(&format!("-n {} rule del pref {preference}", self.router()));
        }
    }

    fn router(&self) -> String {
        format!("{}-router", self.tag)
    }

    fn namespace(&self, place: Place) -> String {
        format!("{}-{}", self.tag, wire(place))
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        let places = self.places().into_iter().map(|place| self.namespace(place));
        for namespace in places.chain([self.router()]) {
            // It may not have come to be.
            let _ = ip(&format!("netns del {namespace}"));
        }
    }
}

/// The name of the router's end.
fn wire(place: Place) -> String {
    match place {
        Place::Coordinator => "c".into(),
        Place::Worker(index) => format!("w{index}"),
    }
}

fn subnet(place: Place) -> String {
    match place {
        Place::Coordinator => "10.231.0".into(),
        Place::Worker(index) => format!("10.231.{}", 1 + index),
    }
}

/// Preferences of the rules that drop what a worker sends, and what is sent to it.
fn preferences(worker: usize) -> [usize; 2] {
    [100 + 2 * worker, 101 + 2 * worker]
}

fn ip(arguments: &str) -> Option<()> {
    run(Command::new("ip").args(arguments.split_whitespace()))
}

fn run(command: &mut Command) -> Option<()> {
    let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status().ok()?;
    status.success().then_some(())
}
