//! The write-ahead log beside the database, walked before SQLite opens it: SQLite drops a damaged
//! frame with all that lies behind it, and says nothing.
//!
//! The format is <https://www.sqlite.org/fileformat2.html#the_write_ahead_log>. Each commit is synced
//! before the next one is written, so the loss of power can only tear the last one. A frame that
//! continues the checksum of a commit therefore proves that this commit, and all before it, had
//! reached the disk: a bad frame before such a pair is damage, and a bad frame without one is a torn
//! end, which is normal.

use std::fs::File;
use std::io::{self, BufReader, ErrorKind, Read};
use std::path::Path;

use crate::store::error::StoreError;
use crate::store::schema::rescue::{rescue_log, with_suffix};

const HEADER_BYTES: usize = 32;
const FRAME_HEADER_BYTES: usize = 24;

/// Its last bit says in which order the checksums read their words.
const MAGIC: u32 = 0x377f_0682;
const VERSION: u32 = 3_007_000;

const BUFFER_BYTES: usize = 1 << 20;

/// Walks of a log that is being written; damage stays, and what a writer was just at does not.
const MAX_WALKS: u32 = 5;

/// Commits that were durable and that SQLite would drop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Damage {
    /// The first frame that is not as it was written; `None` for the log's own header.
    offset: Option<u64>,
    /// Commits from there on.
    n_commits: u64,
}

/// Refuses the log of the database at `path` if committed changes in it cannot be read.
pub fn check(path: &Path) -> Result<(), StoreError> {
    let log = with_suffix(path, "-wal");
    let read = |source| StoreError::Log { path: log.clone(), source };
    let mut former = None;
    for _ in 0..MAX_WALKS {
        let found = walk(path, &log).map_err(read)?;
        match found {
            None => return Ok(()),
            Some(damage) if former == found => return Err(broken(path, &log, damage)),
            Some(_) => former = found,
        }
    }
    Ok(())
}

fn broken(path: &Path, log: &Path, damage: Damage) -> StoreError {
    let what = match damage.offset {
        Some(offset) => format!("the frame at byte {offset} does not have its checksum"),
        None => "the header does not have its checksum".into(),
    };
    let found = format!(
        "in its log {}, {what}, and SQLite would drop {} commits from there on",
        log.display(),
        damage.n_commits
    );
    StoreError::Broken { path: path.into(), found, rescue: rescue_log(path) }
}

/// The order in which a log's checksums read the bytes of a word.
#[derive(Clone, Copy, Debug)]
enum Order {
    Big,
    Little,
}

type Checksum = [u32; 2];

/// What the log's header says, and whether it has its checksum.
#[derive(Debug)]
struct Header {
    order: Order,
    page_bytes: usize,
    /// `None` in a damaged header, which cannot be believed.
    salts: Option<[u8; 8]>,
    checksum: Checksum,
}

impl Order {
    fn native() -> Self {
        if cfg!(target_endian = "big") { Self::Big } else { Self::Little }
    }

    fn word(self, bytes: &[u8]) -> u32 {
        let bytes = bytes.try_into().expect("4 bytes");
        match self {
            Self::Big => u32::from_be_bytes(bytes),
            Self::Little => u32::from_le_bytes(bytes),
        }
    }

    fn continued(self, from: Checksum, bytes: &[u8]) -> Checksum {
        let [mut first, mut second] = from;
        for pair in bytes.chunks_exact(8) {
            first = first.wrapping_add(self.word(&pair[..4])).wrapping_add(second);
            second = second.wrapping_add(self.word(&pair[4..])).wrapping_add(first);
        }
        [first, second]
    }
}

impl Header {
    /// `page_bytes` is that of the database.
    fn parse(bytes: &[u8; HEADER_BYTES], page_bytes: usize) -> Self {
        let words: Vec<u32> = bytes.chunks(4).map(|word| Order::Big.word(word)).collect();
        let order = if words[0] & 1 == 1 { Order::Big } else { Order::Little };
        let checksum = [words[6], words[7]];
        let is_whole = words[0] & !1 == MAGIC
            && words[1] == VERSION
            && order.continued([0, 0], &bytes[..24]) == checksum;
        match is_whole {
            true => Self {
                order,
                page_bytes: words[2] as usize,
                salts: bytes[16..24].try_into().ok(),
                checksum,
            },
            false => Self { order: Order::native(), page_bytes, salts: None, checksum },
        }
    }
}

fn walk(database: &Path, log: &Path) -> io::Result<Option<Damage>> {
    let file = match File::open(log) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        opened => opened?,
    };
    let mut reader = BufReader::with_capacity(BUFFER_BYTES, file);
    let mut bytes = [0; HEADER_BYTES];
    if !is_filled(&mut reader, &mut bytes)? {
        return Ok(None);
    }
    let header = Header::parse(&bytes, page_bytes_of(database)?);
    let mut salts = header.salts;
    let mut frame = vec![0; FRAME_HEADER_BYTES + header.page_bytes];
    let mut damage = header.salts.is_none().then_some(Damage { offset: None, n_commits: 0 });
    let (mut is_proven, mut ends_commit) = (false, false);
    let (mut checksum, mut offset) = (header.checksum, HEADER_BYTES as u64);
    // What the frame before should have had for a checksum, if it has another.
    let mut should_be = None;
    while is_filled(&mut reader, &mut frame)? {
        let (head, page) = frame.split_at(FRAME_HEADER_BYTES);
        let own = *salts.get_or_insert_with(|| head[8..16].try_into().expect("8 bytes"));
        let is_own = head[8..16] == own;
        let continued = |from| {
            let checksum = header.order.continued(from, &head[..8]);
            header.order.continued(checksum, page)
        };
        let computed = continued(checksum);
        checksum = [Order::Big.word(&head[16..20]), Order::Big.word(&head[20..24])];
        let is_next = computed == checksum || should_be.map(continued) == Some(checksum);
        let is_good = is_own && is_next;
        should_be = (computed != checksum).then_some(computed);
        // One before the damage has ended where this one begins.
        is_proven |= damage.is_some() && is_good && ends_commit;
        ends_commit = false;
        if !is_good && damage.is_none() {
            damage = Some(Damage { offset: Some(offset), n_commits: 0 });
        }
        if let Some(damage) = &mut damage {
            ends_commit = is_own && Order::Big.word(&head[4..8]) > 0;
            damage.n_commits += u64::from(ends_commit);
        }
        offset += frame.len() as u64;
    }
    Ok(damage.filter(|_| is_proven))
}

/// What a log without a readable header is looked through with.
fn page_bytes_of(database: &Path) -> io::Result<usize> {
    const USUAL: usize = 4096;
    let mut bytes = [0; 18];
    let mut file = match File::open(database) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(USUAL),
        opened => opened?,
    };
    if !is_filled(&mut file, &mut bytes)? {
        return Ok(USUAL);
    }
    Ok(match u16::from_be_bytes([bytes[16], bytes[17]]) {
        1 => 65_536,
        n if n >= 512 => n.into(),
        _ => USUAL,
    })
}

/// Whether there was enough to fill `bytes`.
fn is_filled(reader: &mut impl Read, bytes: &mut [u8]) -> io::Result<bool> {
    match reader.read_exact(bytes) {
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(false),
        read => read.map(|()| true),
    }
}

#[cfg(test)]
mod tests;
