//! The named limits of reading an image. Reaching one is reported as a gap.

use std::time::Duration;

/// How much of an image is read.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Largest manifest, index or config, in bytes. Registries themselves stop at 4 MiB.
    pub document_bytes_max: u64,
    /// Most layers of an image.
    pub layers_max: usize,
    /// Most manifests of an index.
    pub manifests_max: usize,
    /// Depth of an index in an index.
    pub index_depth_max: usize,
    /// Largest layer as stored, in bytes.
    pub layer_bytes_max: u64,
    /// Largest layer unpacked, in bytes.
    pub unpacked_bytes_max: u64,
    /// How many times larger than stored a layer may unpack, once it is above `inflate_free_bytes`.
    pub inflate_ratio_max: u64,
    /// Unpacked size in bytes below which the ratio is not looked at: small files of zeros are common.
    pub inflate_free_bytes: u64,
    /// Bytes of holes in sparse files that the catalogers of one layer are given, all files together.
    pub hole_bytes_max: u64,
    /// Most entries of a layer.
    pub entries_max: u64,
    /// Largest file that is held in memory whole, in bytes.
    pub whole_bytes_max: u64,
    /// Bytes of whole files that all threads together hold in memory, unless a single file is larger.
    pub held_bytes_max: u64,
    /// Bytes of memory that what the files of one layer state may take, roughly, with the layer's removals.
    pub facts_bytes_max: u64,
    /// Most problems that one layer reports by name; the rest are counted.
    pub problems_max: usize,
    /// Longest time that one image's layers may take.
    pub time_max: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            document_bytes_max: 4 << 20,
            layers_max: 1_000,
            manifests_max: 1_000,
            index_depth_max: 4,
            layer_bytes_max: 64 << 30,
            unpacked_bytes_max: 256 << 30,
            inflate_ratio_max: 200,
            inflate_free_bytes: 1 << 30,
            hole_bytes_max: 1 << 30,
            entries_max: 5_000_000,
            whole_bytes_max: crate::catalogers::WHOLE_BYTES_MAX,
            held_bytes_max: 64 << 20,
            facts_bytes_max: 256 << 20,
            problems_max: 1_000,
            time_max: Duration::from_secs(3600),
        }
    }
}
