//! `kt-bench-native FRAMES PRICE_DECIMALS PASSES`: what a frame costs, by way, as one line of JSON.
//! FRAMES is a file of messages, each behind its length as four bytes, little-endian; the first pass is not
//! timed.

mod book;
mod parse;

use book::{Book, Dense, Hft, Tree};
use parse::{Apply, Scale, by_hand, with_serde, with_sonic};
use std::io::Error;

struct Ran {
    ns: f64,
    best: (i64, i64),
}

/// CPU time of this thread so far, nanoseconds.
fn cpu_ns() -> f64 {
    let mut time = Timespec { seconds: 0, nanoseconds: 0 };
    // SAFETY: the call fills the structure that it is given, and nothing else.
    let failed = unsafe { clock_gettime(CLOCK_THREAD_CPUTIME_ID, &mut time) };
    assert_eq!(failed, 0, "{}", Error::last_os_error());
    time.seconds as f64 * 1e9 + time.nanoseconds as f64
}

#[repr(C)]
struct Timespec {
    seconds: i64,
    nanoseconds: i64,
}

const CLOCK_THREAD_CPUTIME_ID: i32 = 3;

unsafe extern "C" {
    fn clock_gettime(clock: i32, time: *mut Timespec) -> i32;
}

fn run<B: Book>(frames: &[&[u8]], scale: Scale, passes: usize, mut book: B, apply: Apply<B>) -> Ran {
    let (mut begun, mut sum, mut best) = (0.0, 0, (0, 0));
    for pass in 0..=passes {
        if pass == 1 {
            begun = cpu_ns();
        }
        for frame in frames {
            sum ^= apply(frame, scale, &mut book);
            best = book.best();
            sum ^= best.0 as u64;
        }
    }
    let ns = (cpu_ns() - begun) / (passes * frames.len()) as f64;
    // What is not looked at might not be done.
    std::hint::black_box(sum);
    Ran { ns, best }
}

fn main() {
    let words: Vec<String> = std::env::args().collect();
    let [_, path, decimals, passes] = words.as_slice() else {
        panic!("usage: kt-bench-native FRAMES PRICE_DECIMALS PASSES");
    };
    let bytes = std::fs::read(path).expect("the file of frames");
    let scale = Scale { price: decimals.parse().expect("a number of decimals") };
    let passes = passes.parse().expect("a number of passes");
    let mut frames = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let length = u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
        frames.push(&bytes[at + 4..at + 4 + length]);
        at += 4 + length;
    }
    let ways = [
        ("by hand, dense book", run(&frames, scale, passes, Dense::new(), by_hand::<Dense>)),
        ("sonic-rs, dense book", run(&frames, scale, passes, Dense::new(), with_sonic::<Dense>)),
        ("sonic-rs, BTreeMap", run(&frames, scale, passes, Tree::default(), with_sonic::<Tree>)),
        ("serde_json, hftbacktest depth", run(&frames, scale, passes, Hft::new(), with_serde::<Hft>)),
    ];
    let one = 10f64.powi(scale.price as i32);
    let lines: Vec<String> = ways
        .iter()
        .map(|(name, Ran { ns, best })| {
            let (bid, ask) = (best.0 as f64 / one, best.1 as f64 / one);
            format!("{{\"name\":\"{name}\",\"ns\":{ns},\"bid\":{bid},\"ask\":{ask}}}")
        })
        .collect();
    println!("[{}]", lines.join(","));
}
