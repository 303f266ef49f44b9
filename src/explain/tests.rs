//! Every sample is explained by the row that it was taken for.

use super::*;

const SAMPLES: &str = include_str!("data/samples.tsv");

#[test]
fn every_sample_has_its_cause() {
    let mut wrong = Vec::new();
    for line in SAMPLES.lines().skip(1) {
        let (cause, sample) = line.split_once('\t').expect("two columns");
        let found = explain(sample).map_or_else(|| "nothing".to_owned(), |found| found.cause);
        if found != cause {
            wrong.push(format!("{sample}\n  not: {found}\n  but: {cause}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
