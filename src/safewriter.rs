//! Writing safetensors files tensor by tensor: the header first, then the data piece by piece, and the file appears by rename once it is whole.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::error::FileError;

/// A tensor of a file that is about to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Name.
    pub name: String,
    /// Type as safetensors names it.
    pub dtype: String,
    /// Dimensions.
    pub shape: Vec<usize>,
    /// Bytes of its data.
    pub bytes: u64,
}

/// A safetensors file on its way to disk. Memory holds a buffer, whatever the size of the file.
#[derive(Debug)]
pub struct SafeWriter {
    path: PathBuf,
    partial: PathBuf,
    out: BufWriter<File>,
    missing: u64,
    finished: bool,
}

impl SafeWriter {
    /// Writes the header; the data of the entries must follow in their order.
    pub fn create(path: &Path, entries: impl IntoIterator<Item = Entry>) -> Result<Self, FileError> {
        let mut header = String::from("{");
        let mut offset = 0u64;
        for (i, Entry { name, dtype, shape, bytes }) in entries.into_iter().enumerate() {
            let end = offset + bytes;
            if i > 0 {
                header.push(',');
            }
            let entry = format!("{}:{{\"dtype\":\"{dtype}\",\"shape\":{},\"data_offsets\":[{offset},{end}]}}", json!(name), json!(shape));
            header.push_str(&entry);
            offset = end;
        }
        header.push('}');
        while header.len() % 8 != 0 {
            header.push(' ');
        }
        let partial = sibling(path, "partial");
        let io = |source| FileError::Io { action: "write", path: path.to_owned(), source };
        let out = BufWriter::new(File::create(&partial).map_err(io)?);
        let mut writer = Self { path: path.to_owned(), partial, out, missing: offset, finished: false };
        writer.put(&(header.len() as u64).to_le_bytes())?;
        writer.put(header.as_bytes())?;
        Ok(writer)
    }

    /// Appends a piece of the data.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), FileError> {
        self.missing = self.missing.checked_sub(bytes.len() as u64).ok_or_else(|| self.wrong("more data than the header announces"))?;
        self.put(bytes)
    }

    /// Gives the file its name; an error where data is missing.
    pub fn finish(mut self) -> Result<(), FileError> {
        if self.missing > 0 {
            return Err(self.wrong(&format!("{} bytes of data are missing", self.missing)));
        }
        let renamed = self.out.flush().and_then(|()| std::fs::rename(&self.partial, &self.path));
        renamed.map_err(|source| FileError::Io { action: "write", path: self.path.clone(), source })?;
        self.finished = true;
        Ok(())
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), FileError> {
        self.out.write_all(bytes).map_err(|source| FileError::Io { action: "write", path: self.path.clone(), source })
    }

    fn wrong(&self, message: &str) -> FileError {
        FileError::Safetensors { path: self.path.clone(), message: message.to_owned() }
    }
}

impl Drop for SafeWriter {
    fn drop(&mut self) {
        if !self.finished {
            let _ = std::fs::remove_file(&self.partial);
        }
    }
}

/// Where a file is while it is not whole: `dir/name.safetensors` → `dir/.name.safetensors.suffix`.
pub fn sibling(path: &Path, suffix: &str) -> PathBuf {
    let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    path.with_file_name(format!(".{name}.{suffix}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::safefile::SafeFile;

    fn entry(name: &str, bytes: u64) -> Entry {
        Entry { name: name.into(), dtype: "U8".into(), shape: vec![usize::try_from(bytes).unwrap()], bytes }
    }

    #[test]
    fn pieces_become_a_file_and_nothing_is_left_of_a_broken_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("m.safetensors");
        let mut writer = SafeWriter::create(&path, [entry("a", 3), entry("b\"", 2)]).unwrap();
        writer.write(&[1, 2]).unwrap();
        writer.write(&[3, 4]).unwrap();
        assert!(!path.exists());
        writer.write(&[5]).unwrap();
        writer.finish().unwrap();
        let file = SafeFile::open(&path).unwrap();
        assert_eq!((file.bytes("a").unwrap(), file.bytes("b\"").unwrap()), (vec![1, 2, 3], vec![4, 5]));

        let other = folder.path().join("n.safetensors");
        let mut writer = SafeWriter::create(&other, [entry("a", 1)]).unwrap();
        assert!(writer.write(&[1, 2]).unwrap_err().to_string().contains("more data"));
        drop(writer);
        let short = SafeWriter::create(&other, [entry("a", 1)]).unwrap().finish().unwrap_err().to_string();
        assert!(short.contains("n.safetensors") && short.contains("1 bytes of data are missing"), "{short}");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
