//! The report's rows as a Parquet file, for programs that read columns: the columns of the [CSV](super::csv), typed. The only module that knows of the
//! crate.
//!
//! Without compression and in one row group: a report has some thousand rows, and its numbers are those of full precision.

use std::sync::Arc;

use ::parquet::data_type::{BoolType, ByteArray, ByteArrayType, DoubleType, Int64Type};
use ::parquet::file::properties::WriterProperties;
use ::parquet::file::writer::SerializedFileWriter;
use ::parquet::schema::parser::parse_message_type;

use super::Report;
use crate::compare::{Row, Verdict};

pub use ::parquet::errors::ParquetError;

const SCHEMA: &str = "message report {
  required binary kernel (utf8);
  required binary fixture (utf8);
  required binary metric (utf8);
  required binary unit (utf8);
  optional double before;
  optional double after;
  optional double standard_error;
  optional double relative_change;
  optional double smallest_detectable;
  optional binary verdict (utf8);
  required boolean estimate;
  optional double change_lower;
  optional double change_upper;
  optional double wall_change;
  optional int64 blocks;
}";

/// Values of a column, in the order of rows.
enum Column<'a> {
    Text(&'a dyn Fn(&Row) -> Option<&str>),
    Number(&'a dyn Fn(&Row) -> Option<f64>),
    Flag(&'a dyn Fn(&Row) -> bool),
    Count(&'a dyn Fn(&Row) -> Option<i64>),
}

/// The file's bytes.
pub fn render(report: &Report) -> Result<Vec<u8>, ParquetError> {
    let interval = |r: &Row, end: usize| r.paired.as_ref().and_then(|p| Some(p.interval?[end]));
    let columns = [
        Column::Text(&|r| Some(&r.case.kernel)),
        Column::Text(&|r| Some(&r.case.fixture)),
        Column::Text(&|r| Some(r.metric.name)),
        Column::Text(&|r| Some(r.metric.unit)),
        Column::Number(&|r| r.before),
        Column::Number(&|r| r.after),
        Column::Number(&|r| r.after_error),
        Column::Number(&|r| r.relative_change()),
        Column::Number(&|r| r.smallest_detectable),
        Column::Text(&|r| r.verdict.map(Verdict::word)),
        Column::Flag(&|r| report.is_estimate(&r.case, r.metric.name)),
        Column::Number(&|r| interval(r, 0)),
        Column::Number(&|r| interval(r, 1)),
        Column::Number(&|r| r.paired.as_ref().and_then(|p| p.wall_change)),
        Column::Count(&|r| i64::try_from(r.paired.as_ref()?.blocks).ok()),
    ];
    let properties = WriterProperties::builder().set_created_by("weighbridge".to_owned()).build();
    let mut writer = SerializedFileWriter::new(Vec::new(), Arc::new(parse_message_type(SCHEMA)?), Arc::new(properties))?;
    let mut group = writer.next_row_group()?;
    let rows = &report.comparison.rows;
    for column in columns {
        let Some(mut out) = group.next_column()? else { break };
        match column {
            Column::Text(of) => {
                let (there, values): (Vec<_>, Vec<_>) = split(rows.iter().map(|r| of(r).map(ByteArray::from)));
                out.typed::<ByteArrayType>().write_batch(&values, Some(&there), None)?;
            }
            Column::Number(of) => {
                let (there, values): (Vec<_>, Vec<_>) = split(rows.iter().map(of));
                out.typed::<DoubleType>().write_batch(&values, Some(&there), None)?;
            }
            Column::Flag(of) => {
                out.typed::<BoolType>().write_batch(&rows.iter().map(of).collect::<Vec<_>>(), None, None)?;
            }
            Column::Count(of) => {
                let (there, values): (Vec<_>, Vec<_>) = split(rows.iter().map(of));
                out.typed::<Int64Type>().write_batch(&values, Some(&there), None)?;
            }
        }
        out.close()?;
    }
    group.close()?;
    writer.into_inner()
}

/// For each row 1 where it has a value and 0 where not, which is what the format calls a definition level; and the values that there are.
fn split<T>(values: impl Iterator<Item = Option<T>>) -> (Vec<i16>, Vec<T>) {
    let (mut there, mut some) = (Vec::new(), Vec::new());
    for value in values {
        there.push(i16::from(value.is_some()));
        some.extend(value);
    }
    (there, some)
}

#[cfg(test)]
mod tests {
    use ::parquet::file::reader::{FileReader, SerializedFileReader};
    use ::parquet::record::Field;
    use bytes::Bytes;

    use super::super::tests::paired;
    use super::*;
    use crate::stats::decision::Finding;

    #[test]
    fn what_is_written_is_read_back() {
        let report = paired(Finding::Regression);
        let file = SerializedFileReader::new(Bytes::from(render(&report).unwrap())).unwrap();
        let read: Vec<_> = file.get_row_iter(None).unwrap().map(Result::unwrap).collect();
        let rows = &report.comparison.rows;
        assert_eq!(read.len(), rows.len());
        for (read, row) in read.iter().zip(rows) {
            let field = |name: &str| read.get_column_iter().find(|(n, _)| *n == name).unwrap().1.clone();
            let number = |x: Option<f64>| x.map_or(Field::Null, Field::Double);
            assert_eq!(field("kernel"), Field::Str(row.case.kernel.clone()));
            assert_eq!(field("metric"), Field::Str(row.metric.name.to_owned()));
            assert_eq!([field("before"), field("after")], [row.before, row.after].map(number));
            assert_eq!(field("verdict"), row.verdict.map_or(Field::Null, |v| Field::Str(v.word().to_owned())));
            assert_eq!(field("blocks"), row.paired.as_ref().map_or(Field::Null, |p| Field::Long(i64::try_from(p.blocks).unwrap())));
        }
        assert!(read.iter().any(|r| r.get_column_iter().any(|(n, f)| n == "change_lower" && *f != Field::Null)));
    }
}
