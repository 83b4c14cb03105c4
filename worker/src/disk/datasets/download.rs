//! The transfer of a data set: what a part lacks is appended to it, within the announced size, with
//! room on the disk, and no slower than a pace that any network has.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;
use std::time::Duration;

use proto::GetDatasetRequest;
use tokio::time::{self, Instant};
use trial::wording::{n_of, span};

use crate::disk::datasets::trouble::DataTrouble;
use crate::disk::files;
use crate::disk::upkeep::Upkeep;
use crate::link::Artifacts;
use crate::link::convert::DataSpec;

/// A transfer that is silent for this long is given up and resumed later.
const SILENCE: Duration = Duration::from_secs(30);

/// So is one that moves less than `LEAST_BYTES` in this time, chunk after chunk. That is 1 KiB/s: a
/// network that moves at all does better.
const PACE_OVER: Duration = Duration::from_secs(60);
const LEAST_BYTES: u64 = 60 * 1024;

/// Appends to `part` what it lacks, and syncs it.
pub async fn download(
    upkeep: &Upkeep,
    spec: &DataSpec,
    artifacts: Artifacts,
    part: &Path,
) -> Result<(), DataTrouble> {
    let mut file = files::open(part, File::options().create(true).append(true))?;
    let mut offset = file.metadata()?.len();
    if offset > spec.n_bytes {
        file.set_len(0)?;
        offset = 0;
    }
    if offset < spec.n_bytes {
        upkeep.make_room(spec.n_bytes - offset)?;
        let (mut client, session) = (artifacts.client(), artifacts.session());
        let request = GetDatasetRequest { digest: spec.digest.0.to_vec(), offset, session };
        let mut chunks = in_time(client.get_dataset(request)).await?.into_inner();
        let mut pace = Pace::new(Instant::now());
        while let Some(chunk) = in_time(chunks.message()).await? {
            let n_bytes = chunk.bytes.len() as u64;
            offset += n_bytes;
            if offset > spec.n_bytes {
                file.set_len(0)?;
                return Err(DataTrouble::Later("more bytes arrived than announced".into()));
            }
            write(upkeep, &mut file, &chunk.bytes)?;
            pace.moved(n_bytes, Instant::now()).map_err(DataTrouble::Later)?;
        }
    }
    file.sync_all()?;
    if offset < spec.n_bytes {
        return Err(DataTrouble::Later(format!("{offset} of {} bytes arrived", spec.n_bytes)));
    }
    Ok(())
}

/// Room that was free may be gone by the time it is needed.
fn write(upkeep: &Upkeep, file: &mut File, bytes: &[u8]) -> io::Result<()> {
    let n_before = file.metadata()?.len();
    match file.write_all(bytes) {
        Err(error) if files::is_full(&error) => {
            file.set_len(n_before)?;
            upkeep.make_room(bytes.len() as u64)?;
            file.write_all(bytes)
        }
        written => written,
    }
}

/// How much has moved since the last look.
struct Pace {
    since: Instant,
    n_bytes: u64,
}

impl Pace {
    fn new(now: Instant) -> Self {
        Self { since: now, n_bytes: 0 }
    }

    /// The error says that too little came in the time before.
    fn moved(&mut self, n_bytes: u64, now: Instant) -> Result<(), String> {
        self.n_bytes += n_bytes;
        if now - self.since < PACE_OVER {
            return Ok(());
        }
        if self.n_bytes < LEAST_BYTES {
            return Err(format!(
                "{} in {}, expected at least {LEAST_BYTES}",
                n_of(self.n_bytes, "byte"),
                span(now - self.since)
            ));
        }
        *self = Self::new(now);
        Ok(())
    }
}

async fn in_time<T>(
    answer: impl Future<Output = Result<T, tonic::Status>>,
) -> Result<T, DataTrouble> {
    match time::timeout(SILENCE, answer).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(DataTrouble::Later(format!("silence for {}", span(SILENCE)))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Seconds until a stream of chunks is given up, if it is within an hour.
    fn given_up_after(n_bytes: u64, every_s: u64) -> Option<u64> {
        let began = Instant::now();
        let mut pace = Pace::new(began);
        let times = (1..=3600 / every_s).map(|n| n * every_s);
        times.into_iter().find(|&s| pace.moved(n_bytes, began + Duration::from_secs(s)).is_err())
    }

    #[test]
    fn a_coordinator_that_drips_is_given_up_and_a_slow_network_never() {
        assert_eq!(given_up_after(0, 1), Some(60), "empty chunks without end");
        assert_eq!(given_up_after(1, 1), Some(60));
        assert_eq!(given_up_after(1000, 29), Some(87));
        assert_eq!(given_up_after(1100, 1), None);
        assert_eq!(given_up_after(256 * 1024, 29), None);
    }
}
