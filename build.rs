//! Writes the transliteration table of the crate `unidecode` as one run of bytes.
//!
//! The crate's own table is 65536 string slices: the dynamic loader would relocate each of them
//! before `main`, twice for every `docker flowstorage …`, which takes longer than all the rest of
//! the answer to docker's question who we are.
//!
//! **Invariant:** writes to `OUT_DIR` only; the bytes depend on the crate's version alone.

#![expect(clippy::expect_used, reason = "a build that cannot go on has failed")]
#![expect(clippy::disallowed_methods, reason = "cargo speaks to build scripts by environment")]

use std::path::Path;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let mut offsets: Vec<u8> = Vec::new();
    let mut texts = String::new();
    for code in 0..=0xffff_u32 {
        offsets
            .extend(u32::try_from(texts.len()).expect("a table of less than 4 GB").to_le_bytes());
        texts.push_str(char::from_u32(code).map_or("", unidecode::unidecode_char));
    }
    offsets.extend(u32::try_from(texts.len()).expect("a table of less than 4 GB").to_le_bytes());
    let folder = std::env::var("OUT_DIR").expect("cargo sets OUT_DIR");
    let write = |name: &str, bytes: &[u8]| {
        std::fs::write(Path::new(&folder).join(name), bytes).expect("OUT_DIR can be written to");
    };
    write("transliteration.offsets", &offsets);
    write("transliteration.txt", texts.as_bytes());
}
