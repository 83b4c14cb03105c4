//! Who may move large content, and how many at a time. One rule for every transfer: the right is
//! shown first (a session, or a lease), then a place is waited for, then a pace is kept. So a caller
//! without a right takes nothing from those that have one, one network leaves places to the others,
//! and this coordinator's own workers have some that nobody else takes.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use coordinator_core::lease::WorkerId;
use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::rpc::status::RpcError;

/// How many transfers of a kind there are at the same time, and who may hold how many. Each holds some
/// hundred kilobytes: two chunks, and what the connection has taken and not yet sent.
#[derive(Clone, Copy, Debug)]
pub struct Shares {
    pub total: usize,
    /// How many of these are for this coordinator's own workers alone.
    pub local: usize,
    /// Most of one network, its own workers apart.
    pub of_a_network: usize,
    /// Most of one worker, waiting ones too.
    pub of_a_worker: usize,
}

/// A worker fetches one data set.
pub const DATASETS: Shares = Shares { total: 32, local: 4, of_a_network: 8, of_a_worker: 1 };

/// A worker fetches for several slots, and leaves a place to the others of its network.
pub const CHECKPOINTS_OUT: Shares =
    Shares { total: 8, local: 2, of_a_network: 4, of_a_worker: proto::MAX_FETCHES_OF_A_WORKER };

/// A worker sends one after the other.
pub const CHECKPOINTS_IN: Shares = Shares { total: 8, local: 2, of_a_network: 4, of_a_worker: 1 };

/// How the transfers of a server are paced.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// The message that shows the right, if it is not the call itself.
    pub first: Duration,
    /// For a place, before the caller is told to come back.
    pub place: Duration,
    /// For each chunk.
    pub chunk: Duration,
    /// For a whole call; the next one goes on from what has arrived. Workers wait a little longer, to
    /// hear why.
    pub whole: Duration,
}

impl Pace {
    pub const USUAL: Self = Self {
        first: Duration::from_secs(5),
        place: Duration::from_secs(5),
        chunk: Duration::from_secs(20),
        whole: Duration::from_secs(50),
    };
}

/// Who asks for a place.
#[derive(Clone, Copy, Debug)]
pub struct Asker {
    pub worker: WorkerId,
    /// It has proven that this coordinator started it.
    pub is_local: bool,
    /// Where its call comes from; `None` of a simulated connection.
    pub address: Option<IpAddr>,
}

/// The places for transfers of one kind.
#[derive(Clone, Debug)]
pub struct Places {
    shared: Arc<Semaphore>,
    local: Arc<Semaphore>,
    workers: Arc<Holders<WorkerId>>,
    networks: Arc<Holders<IpAddr>>,
}

/// A place among the transfers; free again when this is dropped, which must not be before the stream
/// is gone: what was not read takes memory until then.
#[derive(Debug)]
pub struct Place {
    _of_worker: OwnedSemaphorePermit,
    _of_network: Option<OwnedSemaphorePermit>,
    _place: OwnedSemaphorePermit,
}

impl Places {
    pub fn new(shares: Shares) -> Self {
        Self {
            shared: Arc::new(Semaphore::new(shares.total - shares.local)),
            local: Arc::new(Semaphore::new(shares.local)),
            workers: Arc::new(Holders::new(shares.of_a_worker)),
            networks: Arc::new(Holders::new(shares.of_a_network)),
        }
    }

    /// Waits for a place, in the order of those that ask. Who waits for one of its network's is in
    /// nobody else's way.
    pub async fn take(&self, asker: Asker, pace: Pace) -> Result<Place, RpcError> {
        let of_worker = self.workers.share_of(asker.worker).try_acquire_owned();
        let of_worker = of_worker.map_err(|_| RpcError::Busy)?;
        let waited = timeout(pace.place, self.wait(asker)).await;
        let (of_network, place) = waited.ok().and_then(Result::ok).ok_or(RpcError::Busy)?;
        Ok(Place { _of_worker: of_worker, _of_network: of_network, _place: place })
    }

    async fn wait(
        &self,
        asker: Asker,
    ) -> Result<(Option<OwnedSemaphorePermit>, OwnedSemaphorePermit), AcquireError> {
        let shared = self.shared.clone();
        if asker.is_local {
            let place = tokio::select! {
                biased;
                place = self.local.clone().acquire_owned() => place?,
                place = shared.acquire_owned() => place?,
            };
            return Ok((None, place));
        }
        let of_network = match asker.address.map(network) {
            Some(network) => Some(self.networks.share_of(network).acquire_owned().await?),
            None => None,
        };
        Ok((of_network, shared.acquire_owned().await?))
    }

    /// Places that nobody holds.
    #[cfg(test)]
    pub fn n_free(&self) -> usize {
        self.shared.available_permits() + self.local.available_permits()
    }
}

/// The network of an address: the address itself, or the 64 bits that a machine in IPv6 chooses its
/// addresses behind.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into()
        }
        address => address,
    }
}

/// Those that hold something, each at most as much as the others. One that holds and awaits nothing
/// is forgotten.
#[derive(Debug)]
struct Holders<K> {
    max_of_one: usize,
    shares: Mutex<BTreeMap<K, Weak<Semaphore>>>,
}

impl<K: Ord> Holders<K> {
    fn new(max_of_one: usize) -> Self {
        Self { max_of_one, shares: Mutex::default() }
    }

    fn share_of(&self, holder: K) -> Arc<Semaphore> {
        let mut shares = self.lock();
        shares.retain(|_, share| share.strong_count() > 0);
        let known = shares.get(&holder).and_then(Weak::upgrade);
        known.unwrap_or_else(|| {
            let share = Arc::new(Semaphore::new(self.max_of_one));
            shares.insert(holder, Arc::downgrade(&share));
            share
        })
    }

    /// Nothing is left half done under this lock.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<K, Weak<Semaphore>>> {
        self.shares.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACE: Pace = Pace { place: Duration::from_millis(10), ..Pace::USUAL };

    const SHARES: Shares = Shares { total: 4, local: 1, of_a_network: 2, of_a_worker: 2 };

    /// Each at an address of its own.
    fn asker(id: u8) -> Asker {
        let address = Some([10, 0, 0, id].into());
        Asker { worker: WorkerId([id; 16]), is_local: false, address }
    }

    fn at(id: u8, address: &str) -> Asker {
        Asker { address: Some(address.parse().unwrap()), ..asker(id) }
    }

    #[tokio::test]
    async fn a_worker_takes_its_share_and_no_more() {
        let places = Places::new(SHARES);
        let first = places.take(asker(1), PACE).await.unwrap();
        let _second = places.take(asker(1), PACE).await.unwrap();
        assert!(matches!(places.take(asker(1), PACE).await, Err(RpcError::Busy)));
        let _other = places.take(asker(2), PACE).await.unwrap();
        assert!(matches!(places.take(asker(3), PACE).await, Err(RpcError::Busy)), "all are taken");
        drop(first);
        let _third = places.take(asker(3), PACE).await.unwrap();
    }

    #[tokio::test]
    async fn a_network_leaves_places_to_the_others() {
        let places = Places::new(Shares { total: 8, local: 0, ..SHARES });
        let mut held = Vec::new();
        for (strangers, alone) in [
            (["192.0.2.1", "192.0.2.1", "192.0.2.1"], "192.0.2.2"),
            (["2001:db8::1", "2001:db8::2", "2001:db8:0:0:9::"], "2001:db8:0:1::1"),
            (["198.51.100.7", "::ffff:198.51.100.7", "198.51.100.7"], "::ffff:198.51.100.8"),
        ] {
            let first_id = 10 * held.len() as u8;
            for (id, address) in (first_id..).zip(&strangers[..2]) {
                held.push(places.take(at(id, address), PACE).await.unwrap());
            }
            let third = places.take(at(first_id + 2, strangers[2]), PACE).await;
            assert!(matches!(third, Err(RpcError::Busy)), "{strangers:?}");
            drop(places.take(at(first_id + 3, alone), PACE).await.unwrap());
        }
        assert_eq!(places.n_free(), 2);
        let freed = held.swap_remove(0);
        let waiting = places.take(at(99, "192.0.2.1"), Pace::USUAL);
        let (waited, ()) = tokio::join!(waiting, async { drop(freed) });
        waited.expect("the one of its network that is free now");
    }

    /// They share the address of every program on this machine.
    #[tokio::test]
    async fn own_workers_come_first() {
        let places = Places::new(SHARES);
        let _strangers = [
            places.take(asker(1), PACE).await.unwrap(),
            places.take(asker(2), PACE).await.unwrap(),
            places.take(asker(3), PACE).await.unwrap(),
        ];
        assert!(matches!(places.take(asker(4), PACE).await, Err(RpcError::Busy)));
        let own = |id| Asker { is_local: true, ..at(id, "10.0.0.1") };
        let first = places.take(own(5), PACE).await.unwrap();
        assert!(places.take(own(6), PACE).await.is_err(), "all are taken");
        drop(first);
        let places = Places::new(SHARES);
        let mut held = Vec::new();
        for id in 0..4 {
            held.push(places.take(own(id), PACE).await.expect("the others' as well"));
        }
        assert_eq!(places.n_free(), 0);
    }

    #[tokio::test]
    async fn whoever_leaves_is_forgotten() {
        let places = Places::new(Shares { total: 1, local: 0, of_a_network: 1, of_a_worker: 1 });
        for id in 0..100 {
            drop(places.take(asker(id), PACE).await.unwrap());
        }
        let _place = places.take(asker(107), PACE).await.unwrap();
        assert!(places.take(asker(108), PACE).await.is_err());
        drop(places.workers.share_of(WorkerId([107; 16])));
        assert_eq!(places.workers.lock().keys().collect::<Vec<_>>(), [&WorkerId([107; 16])]);
        drop(places.networks.share_of([10, 0, 0, 107].into()));
        assert_eq!(places.networks.lock().len(), 1);
    }
}
