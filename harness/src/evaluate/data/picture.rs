//! PNG files, the one form of picture that every reader decodes to the same bytes.

use std::path::Path;

use crate::evaluate::EvaluateError;

/// Rows of pixels of one or three channels.
pub(super) struct Picture {
    pub height: usize,
    pub width: usize,
    pub channels: usize,
    /// Height × width × channels.
    pub values: Vec<u8>,
}

impl Picture {
    /// Decodes a grey or RGB file.
    pub fn read(path: &Path) -> Result<Self, EvaluateError> {
        let invalid = |message: String| EvaluateError::Data { path: path.to_owned(), message };
        let file = std::fs::File::open(path).map_err(|e| invalid(e.to_string()))?;
        let mut decoder = png::Decoder::new(std::io::BufReader::new(file));
        decoder.set_transformations(png::Transformations::normalize_to_color8());
        let mut reader = decoder.read_info().map_err(|e| invalid(e.to_string()))?;
        let mut values = vec![0; reader.output_buffer_size()];
        let info = reader.next_frame(&mut values).map_err(|e| invalid(e.to_string()))?;
        let channels = match info.color_type {
            png::ColorType::Grayscale => 1,
            png::ColorType::Rgb => 3,
            other => return Err(invalid(format!("a picture is grey or RGB; this one is {other:?}"))),
        };
        Ok(Self { height: info.height as usize, width: info.width as usize, channels, values })
    }
}
