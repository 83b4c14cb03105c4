//! The four files that a data set in IDX form consists of.

/// Most bytes of one unpacked file, so that a small archive cannot fill the memory.
pub const MAX_FILE_BYTES: u64 = 2 << 30;

/// The four files of a data set in IDX form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    TrainImages,
    TrainLabels,
    TestImages,
    TestLabels,
}

impl Role {
    pub const ALL: [Self; 4] =
        [Self::TrainImages, Self::TrainLabels, Self::TestImages, Self::TestLabels];

    /// As the trainer's errors name it.
    pub fn name(self) -> &'static str {
        match self {
            Self::TrainImages => "train images",
            Self::TrainLabels => "train labels",
            Self::TestImages => "test images",
            Self::TestLabels => "test labels",
        }
    }

    /// The canonical one.
    pub fn file_name(self) -> &'static str {
        match self {
            Self::TrainImages => "train-images-idx3-ubyte",
            Self::TrainLabels => "train-labels-idx1-ubyte",
            Self::TestImages => "t10k-images-idx3-ubyte",
            Self::TestLabels => "t10k-labels-idx1-ubyte",
        }
    }
}

/// Four unpacked files, in the order of [`Role::ALL`].
pub type Files = [Vec<u8>; 4];
