//! Rows without their zeros, as the sparse kernels read them: by sample and by input. What is built
//! here is in range by construction, so that kernels need not look at every entry.

use super::pages::vec_in_huge_pages;

/// The non-zero inputs of many rows: ascending in each row, and below `n_inputs`.
#[derive(Debug)]
pub(crate) struct CompressedRows {
    n_inputs: usize,
    /// Row r has `starts[r]..starts[r + 1]`.
    starts: Vec<usize>,
    inputs: Vec<u16>,
    values: Vec<f32>,
}

impl CompressedRows {
    /// With room for so many entries. Inputs are at most 65,536.
    pub(crate) fn with_capacity(n_inputs: usize, n_entries: usize) -> Self {
        assert!(n_inputs <= 1 << 16, "u16 tells the inputs apart");
        Self {
            n_inputs,
            starts: vec![0],
            inputs: vec_in_huge_pages(n_entries),
            values: vec_in_huge_pages(n_entries),
        }
    }

    /// Appends a row with a value for each input.
    pub(crate) fn push(&mut self, row: impl Iterator<Item = f32>) {
        row.take(self.n_inputs).enumerate().for_each(|(input, value)| {
            if value != 0.0 {
                self.inputs.push(input as u16);
                self.values.push(value);
            }
        });
        self.starts.push(self.inputs.len());
    }

    /// Inputs and values of a row.
    pub(crate) fn row(&self, row: usize) -> (&[u16], &[f32]) {
        let range = self.starts[row]..self.starts[row + 1];
        (&self.inputs[range.clone()], &self.values[range])
    }

    /// The most entries that a row has.
    pub(crate) fn longest(&self) -> usize {
        self.starts.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or(0)
    }
}

/// Some of the rows, as the samples of a batch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SampleRows<'a> {
    pub all: &'a CompressedRows,
    pub rows: &'a [u32],
}

impl SampleRows<'_> {
    pub(super) fn n_inputs(&self) -> usize {
        self.all.n_inputs
    }

    /// Where each sample's entries lie in `inputs` and `values`.
    pub(super) fn write_ranges(&self, out: &mut [std::ops::Range<usize>]) {
        for (range, &row) in out.iter_mut().zip(self.rows) {
            *range = self.all.starts[row as usize]..self.all.starts[row as usize + 1];
        }
    }

    pub(super) fn entries(&self) -> (&[u16], &[f32]) {
        (&self.all.inputs, &self.all.values)
    }
}

/// The entries of a batch by input, sorted by the forward pass as it meets them.
#[derive(Debug)]
pub(crate) struct InputRows {
    /// Input k has `starts[k]..ends[k]`; samples ascend.
    starts: Vec<u32>,
    ends: Vec<u32>,
    entries: Vec<Entry>,
    /// Samples that every input has room for; without it, entries are counted first.
    room: Option<usize>,
    n_samples: usize,
}

/// Room for all samples at every input is taken up to so many entries (1 MB).
const MAX_ROOM: usize = 128 << 10;

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Entry {
    pub sample: u32,
    pub value: f32,
}

/// Entries in a cache line.
const LINE_ENTRIES: usize = 64 / size_of::<Entry>();

/// Takes the entries one by one. Pointers, because a kernel can keep them in registers.
#[derive(Clone, Copy)]
pub(super) struct Filling {
    ends: *mut u32,
    entries: *mut Entry,
}

impl Filling {
    /// # Safety
    /// `fill` was told a row that has the entry, it comes once, and its `InputRows` live.
    #[inline(always)]
    pub(super) unsafe fn push(self, input: usize, entry: Entry) {
        // SAFETY: rows' inputs are below `n_inputs`, and `fill` left each entry a place.
        unsafe {
            let end = self.ends.add(input);
            self.entries.add(*end as usize).write(entry);
            *end += 1;
        }
    }
}

impl InputRows {
    /// For batches up to this size, whose rows have at most `longest` entries.
    pub(crate) fn new(n_inputs: usize, batch_size: usize, longest: usize) -> Self {
        // An odd number of cache lines: the first ones of all inputs spread over all sets.
        let stride = LINE_ENTRIES * (batch_size.div_ceil(LINE_ENTRIES) | 1);
        let is_roomy = n_inputs * stride <= MAX_ROOM;
        let (starts, entries) = if is_roomy {
            let starts = (0..n_inputs).map(|input| (input * stride) as u32).collect();
            (starts, vec![Entry::default(); n_inputs * stride])
        } else {
            (vec![0; n_inputs], Vec::with_capacity(batch_size * longest))
        };
        let room = is_roomy.then_some(stride);
        Self { starts, ends: vec![0; n_inputs], entries, room, n_samples: 0 }
    }

    /// Makes a place for every entry of the samples.
    pub(super) fn fill(&mut self, samples: SampleRows<'_>) -> Filling {
        assert_eq!(self.starts.len(), samples.n_inputs());
        self.n_samples = samples.rows.len();
        match self.room {
            Some(room) => assert!(self.n_samples <= room, "a batch is larger than was told"),
            None => self.count(samples),
        }
        self.ends.copy_from_slice(&self.starts);
        Filling { ends: self.ends.as_mut_ptr(), entries: self.entries.as_mut_ptr() }
    }

    /// Sets the starts so that every input has just the room it needs.
    fn count(&mut self, samples: SampleRows<'_>) {
        self.starts.fill(0);
        for &row in samples.rows {
            for &input in samples.all.row(row as usize).0 {
                self.starts[usize::from(input)] += 1;
            }
        }
        let mut begin = 0;
        for start in &mut self.starts {
            begin += std::mem::replace(start, begin);
        }
        self.entries.resize(begin as usize, Entry::default());
    }

    pub(super) fn n_inputs(&self) -> usize {
        self.starts.len()
    }

    /// Every entry's sample is below.
    pub(super) fn n_samples(&self) -> usize {
        self.n_samples
    }

    /// An input's entries.
    ///
    /// # Safety
    /// The input is below `n_inputs`.
    #[inline(always)]
    pub(super) unsafe fn of(&self, input: usize) -> &[Entry] {
        // SAFETY: the starts are in range by construction.
        unsafe {
            let start = *self.starts.get_unchecked(input) as usize;
            let end = *self.ends.get_unchecked(input) as usize;
            self.entries.get_unchecked(start..end)
        }
    }
}
