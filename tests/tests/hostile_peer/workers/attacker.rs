//! An attacker: clients of the real services, on as many connections and under as many names as wanted.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use proto::artifacts_client::ArtifactsClient;
use proto::session_client::SessionClient;
use proto::{GetDatasetRequest, JoinReply, JoinRequest, SyncReply, SyncRequest};
use tonic::Status;
use tonic::transport::{Channel, Endpoint};
use trainer::Isa;

/// Longer than the coordinator takes for any answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// Bytes that a client which does not read lets come.
const NARROW_WINDOW: u32 = 1;

fn endpoint(url: &str) -> Endpoint {
    Endpoint::from_shared(url.to_owned()).expect("an address").timeout(PATIENCE)
}

/// A connection of its own, made with the first call.
pub fn channel(url: &str) -> Channel {
    endpoint(url).connect_lazy()
}

/// A connection whose streams bring nothing but their heads.
pub fn unread(url: &str) -> ArtifactsClient<Channel> {
    let endpoint = endpoint(url).initial_stream_window_size(NARROW_WINDOW);
    ArtifactsClient::new(endpoint.connect_lazy())
}

pub fn artifacts(url: &str) -> ArtifactsClient<Channel> {
    ArtifactsClient::new(channel(url))
}

/// What a worker of this build says of itself, under a name that no other has.
pub fn introduction() -> JoinRequest {
    static N_NAMES: AtomicU64 = AtomicU64::new(1);
    let n = N_NAMES.fetch_add(1, Ordering::Relaxed);
    let mut worker_id = vec![0xee; 16];
    worker_id[..8].copy_from_slice(&n.to_le_bytes());
    JoinRequest {
        protocol_min: proto::PROTOCOL_VERSION,
        protocol_max: proto::PROTOCOL_VERSION,
        numerics_version: trainer::NUMERICS_VERSION,
        selftest_digest: trainer::selftest_digest(Isa::Portable).0.to_vec(),
        isa: "portable".into(),
        worker_id,
        name: format!("attacker-{n}"),
        n_slots: 32,
        ..JoinRequest::default()
    }
}

/// A worker by name alone, with a valid session.
pub struct Member {
    pub client: SessionClient<Channel>,
    pub joined: JoinReply,
    pub seq: u64,
}

impl Member {
    pub async fn join(url: &str) -> Self {
        Self::join_as(url, introduction()).await.expect("whoever is compatible may join")
    }

    pub async fn join_as(url: &str, introduction: JoinRequest) -> Result<Self, Status> {
        let mut client = SessionClient::new(channel(url));
        let joined = client.join(introduction).await?.into_inner();
        Ok(Self { client, joined, seq: 0 })
    }

    pub fn session(&self) -> u64 {
        self.joined.session
    }

    /// Ask for the sweep's data set.
    pub fn data_request(&self) -> GetDatasetRequest {
        let digest = self.joined.data.clone().expect("a sweep has data").digest;
        GetDatasetRequest { digest, offset: 0, session: self.session() }
    }

    /// The next Sync, filled with what is said.
    pub async fn sync(&mut self, says: SyncRequest) -> Result<SyncReply, Status> {
        self.seq += 1;
        let request =
            SyncRequest { session: self.session(), seq: self.seq, seen_seq: self.seq - 1, ..says };
        Ok(self.client.sync(request).await?.into_inner())
    }
}
