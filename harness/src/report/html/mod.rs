//! The page: one file that needs no network, with tables to sort and to filter, and every plot with its data.
//!
//! What does not need a script stands in the page itself: verdict, the five rows, failures, what changed, plots. The script makes tables out of
//! compact data at the end of the page, a hundred rows at a time, so that fifty thousand open at once.

mod data;
mod page;

pub use page::{PageError, render};
