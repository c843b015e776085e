//! What the readers' tests share: archives made on the spot, and the check that any bytes give tensors or an error.

use flate2::write::DeflateEncoder;
use flate2::{Compression, Crc};
use std::io::Write;
use weighbridge::sample::splitmix;

use super::{ReadTensors, Tensor};

/// Little-endian bytes.
pub fn f32_bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_le_bytes()).collect()
}

/// A zip archive with these members, written by hand so that it may also be deflated or lie.
pub fn zip_of(members: &[(&str, &[u8])], deflate: bool) -> Vec<u8> {
    let (mut file, mut directory) = (Vec::new(), Vec::new());
    for (name, data) in members {
        let mut sum = Crc::new();
        sum.update(data);
        let packed = if deflate {
            let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
            encoder.write_all(data).unwrap();
            encoder.finish().unwrap()
        } else {
            data.to_vec()
        };
        let mut common = vec![20, 0, 0, 0, if deflate { 8 } else { 0 }, 0, 0, 0, 33, 0];
        common.extend_from_slice(&sum.sum().to_le_bytes());
        common.extend_from_slice(&u32::try_from(packed.len()).unwrap().to_le_bytes());
        common.extend_from_slice(&u32::try_from(data.len()).unwrap().to_le_bytes());
        common.extend_from_slice(&u16::try_from(name.len()).unwrap().to_le_bytes());
        common.extend_from_slice(&[0, 0]);
        let start = u32::try_from(file.len()).unwrap();
        file.extend_from_slice(b"PK\x03\x04");
        file.extend_from_slice(&common);
        file.extend_from_slice(name.as_bytes());
        file.extend_from_slice(&packed);
        directory.extend_from_slice(b"PK\x01\x02\x14\x00");
        directory.extend_from_slice(&common);
        directory.extend_from_slice(&[0; 10]);
        directory.extend_from_slice(&start.to_le_bytes());
        directory.extend_from_slice(name.as_bytes());
    }
    let count = u16::try_from(members.len()).unwrap().to_le_bytes();
    let start = u32::try_from(file.len()).unwrap();
    file.extend_from_slice(&directory);
    file.extend_from_slice(b"PK\x05\x06\0\0\0\0");
    file.extend_from_slice(&count);
    file.extend_from_slice(&count);
    file.extend_from_slice(&u32::try_from(directory.len()).unwrap().to_le_bytes());
    file.extend_from_slice(&start.to_le_bytes());
    file.extend_from_slice(&[0, 0]);
    file
}

/// A file that reads, cut anywhere or with any byte changed: tensors or an error, never a panic. What is cut short must not read as if it
/// were whole.
pub fn assert_total(read: ReadTensors, file: &[u8]) {
    let whole = read(file).unwrap();
    let take = |tensors: Vec<Tensor<'_>>| tensors.iter().for_each(|t| drop(t.plain_bytes()));
    for end in 0..file.len() {
        if let Ok(tensors) = read(&file[..end]) {
            assert!(tensors != whole, "the first {end} of {} bytes read like the whole", file.len());
            take(tensors);
        }
    }
    let mut changed = file.to_vec();
    for at in 0..file.len() {
        for value in [0, 0xff, file[at] ^ 1, file[at] ^ 0x80, splitmix(5, at as u64).to_le_bytes()[0]] {
            changed[at] = value;
            if let Ok(tensors) = read(&changed) {
                take(tensors);
            }
        }
        changed[at] = file[at];
    }
    // Eight bytes that claim a great deal, wherever a length might be.
    for at in 0..file.len().saturating_sub(8) {
        let mut lying = file.to_vec();
        lying[at..at + 8].copy_from_slice(&(i64::MAX - 7).to_le_bytes());
        if let Ok(tensors) = read(&lying) {
            take(tensors);
        }
    }
}
