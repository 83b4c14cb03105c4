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

/// The entries of a batch by input: a counting sort, whose second half is done by the forward pass as
/// it meets the entries.
#[derive(Debug)]
pub(crate) struct InputRows {
    /// Input k has `starts[k]..starts[k + 1]`; samples ascend.
    starts: Vec<u32>,
    entries: Vec<Entry>,
    n_samples: usize,
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Entry {
    pub sample: u32,
    pub value: f32,
}

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
        // SAFETY: rows' inputs are below `n_inputs`, and `fill` left the entry a place.
        unsafe {
            let end = self.ends.add(input);
            self.entries.add(*end as usize).write(entry);
            *end += 1;
        }
    }
}

impl InputRows {
    /// With room for so many entries.
    pub(crate) fn with_capacity(n_inputs: usize, n_entries: usize) -> Self {
        Self { starts: vec![0; n_inputs + 1], entries: Vec::with_capacity(n_entries), n_samples: 0 }
    }

    /// Makes a place for every entry of the samples.
    pub(super) fn fill(&mut self, samples: SampleRows<'_>) -> Filling {
        let Self { starts, entries, n_samples } = self;
        assert_eq!(starts.len(), samples.n_inputs() + 1);
        *n_samples = samples.rows.len();
        starts.fill(0);
        for &row in samples.rows {
            for &input in samples.all.row(row as usize).0 {
                starts[usize::from(input) + 1] += 1;
            }
        }
        // First one place to the left of where each input begins, because filling moves it on.
        let mut begin = 0;
        for start in &mut starts[1..] {
            begin += std::mem::replace(start, begin);
        }
        entries.resize(begin as usize, Entry::default());
        Filling { ends: starts[1..].as_mut_ptr(), entries: entries.as_mut_ptr() }
    }

    pub(super) fn n_inputs(&self) -> usize {
        self.starts.len() - 1
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
            let end = *self.starts.get_unchecked(input + 1) as usize;
            self.entries.get_unchecked(start..end)
        }
    }
}
