//! Files of orders, the same for the same size.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use super::BenchError;

/// Writes so many orders in random order, every fiftieth one twice if `duplicates`.
pub fn write(directory: &Path, rows: u64, duplicates: bool) -> Result<PathBuf, BenchError> {
    let path = directory.join(format!("orders-{rows}.csv"));
    let mut file = BufWriter::new(File::create(&path)?);
    writeln!(file, "AdminNumber,CardSequenceNumber")?;
    let mut last = 1;
    for row in 0..rows {
        if !(duplicates && row % 50 == 49) {
            last = scattered(row);
        }
        writeln!(file, "{last},{}", last % 3 + 1)?;
    }
    file.flush()?;
    Ok(path)
}

/// A number of nine digits: no two of the first half a thousand million are the same.
fn scattered(row: u64) -> u64 {
    100_000_000 + (row * 387_420_489) % 899_999_963
}
