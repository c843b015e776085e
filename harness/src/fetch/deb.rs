//! Debian's packages (deb(5)): an ar archive of `debian-binary`, `control.tar.*` and `data.tar.*`; the last holds the files.

use std::fs::File;
use std::io::{BufReader, Read};

use flate2::read::GzDecoder;
use lzma_rust2::XzReader;

use super::unpack::Sink;
use super::{FetchError, tarball};

/// Length of a member's header in an ar archive.
const HEADER_BYTES: usize = 60;

/// Unpacks what the sink wants.
pub fn unpack(file: File, sink: &mut Sink<'_>) -> Result<(), FetchError> {
    let mut file = BufReader::new(file);
    let mut magic = [0; 8];
    file.read_exact(&mut magic).map_err(|e| sink.invalid(e.to_string()))?;
    if &magic != b"!<arch>\n" {
        return Err(sink.invalid("not an ar archive".to_owned()));
    }
    loop {
        let mut header = [0; HEADER_BYTES];
        file.read_exact(&mut header).map_err(|_| sink.invalid("it has no data.tar".to_owned()))?;
        let field = |range: std::ops::Range<usize>| std::str::from_utf8(&header[range]).map_or("", str::trim);
        let name = field(0..16).trim_end_matches('/').to_owned();
        let bytes = field(48..58).parse::<u64>().ok().filter(|_| &header[58..] == b"`\n");
        let bytes = bytes.ok_or_else(|| sink.invalid(format!("the header of '{name}' makes no sense")))?;
        let Some(compression) = name.strip_prefix("data.tar") else {
            // Members begin at even places.
            let skipped = bytes.next_multiple_of(2);
            let copied = std::io::copy(&mut (&mut file).take(skipped), &mut std::io::sink());
            copied.map_err(|e| sink.invalid(e.to_string()))?;
            continue;
        };
        let data = (&mut file).take(bytes);
        return match compression {
            "" => tarball::unpack(data, bytes, sink),
            ".gz" => tarball::unpack(GzDecoder::new(data), bytes, sink),
            ".xz" => tarball::unpack(XzReader::new(data, false), bytes, sink),
            other => Err(sink.invalid(format!("'data.tar{other}' is not read; '', '.gz' and '.xz' are"))),
        };
    }
}
