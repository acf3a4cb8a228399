//! Ways from the bytes of a message to the levels of a book.

use crate::book::{Book, Side};
use serde::Deserialize;

/// How many decimals a price has in ticks; sizes have eight.
#[derive(Clone, Copy)]
pub struct Scale {
    pub price: u32,
}

const SIZE_DECIMALS: u32 = 8;

/// A decimal as an integer of so many decimals. Further ones are zeros in what venues send.
#[inline]
fn fixed(text: &[u8], at: &mut usize, decimals: u32) -> i64 {
    let mut value: i64 = 0;
    let mut left = decimals;
    let mut i = *at;
    while text[i].is_ascii_digit() {
        value = value * 10 + i64::from(text[i] - b'0');
        i += 1;
    }
    if text[i] == b'.' {
        i += 1;
        while text[i].is_ascii_digit() {
            if left > 0 {
                value = value * 10 + i64::from(text[i] - b'0');
                left -= 1;
            }
            i += 1;
        }
    }
    *at = i;
    value * 10i64.pow(left)
}

type Levels<'a> = Vec<[&'a str; 2]>;

/// A change, or a snapshot over REST. Binance calls levels `b` and `bids`, Bybit `b`.
#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    data: Option<Change<'a>>,
    #[serde(borrow, rename = "type")]
    kind: Option<&'a str>,
    #[serde(borrow, default)]
    bids: Levels<'a>,
    #[serde(borrow, default)]
    asks: Levels<'a>,
}

#[derive(Deserialize)]
struct Change<'a> {
    #[serde(rename = "u")]
    last: u64,
    #[serde(borrow)]
    b: Levels<'a>,
    #[serde(borrow)]
    a: Levels<'a>,
}

/// One message into a book. Returns its last id.
pub type Apply<B> = fn(&[u8], Scale, &mut B) -> u64;

pub fn with_sonic<B: Book>(bytes: &[u8], scale: Scale, book: &mut B) -> u64 {
    apply(sonic_rs::from_slice(bytes).expect("a message"), scale, book)
}

pub fn with_serde<B: Book>(bytes: &[u8], scale: Scale, book: &mut B) -> u64 {
    apply(serde_json::from_slice(bytes).expect("a message"), scale, book)
}

fn apply<B: Book>(message: Message, scale: Scale, book: &mut B) -> u64 {
    let Some(change) = message.data else {
        book.clear();
        put(&message.bids, Side::Bid, scale, book);
        put(&message.asks, Side::Ask, scale, book);
        return 0;
    };
    if message.kind == Some("snapshot") {
        book.clear();
    }
    put(&change.b, Side::Bid, scale, book);
    put(&change.a, Side::Ask, scale, book);
    change.last
}

fn put<B: Book>(levels: &Levels, side: Side, scale: Scale, book: &mut B) {
    for [price, size] in levels {
        let tick = whole(price.as_bytes(), scale.price);
        book.set(side, tick, whole(size.as_bytes(), SIZE_DECIMALS));
    }
}

fn whole(text: &[u8], decimals: u32) -> i64 {
    let (mut value, mut left, mut point) = (0i64, decimals, false);
    for &byte in text {
        if byte == b'.' {
            point = true;
        } else if !point || left > 0 {
            value = value * 10 + i64::from(byte - b'0');
            left -= u32::from(point);
        }
    }
    value * 10i64.pow(left)
}

/// The bound: one pass over the bytes, which knows what the messages look like and nothing else.
pub fn by_hand<B: Book>(bytes: &[u8], scale: Scale, book: &mut B) -> u64 {
    let mut at = 0;
    let mut last = 0;
    if bytes.starts_with(b"{\"lastUpdateId\"") {
        book.clear();
        at = after(bytes, 0, b"\"bids\":[");
        at = side(bytes, at, Side::Bid, scale, book);
        at = after(bytes, at, b"\"asks\":[");
        side(bytes, at, Side::Ask, scale, book);
        return 0;
    }
    // {"topic":"...","type":"snapshot", or with "ts" before "type".
    let bybit = bytes[2] == b't';
    if bybit {
        let kind = after(bytes, 20, b"\"type\":\"");
        if bytes[kind] == b's' {
            book.clear();
        }
    } else {
        at = after(bytes, 60, b"\"u\":");
        while bytes[at].is_ascii_digit() {
            last = last * 10 + u64::from(bytes[at] - b'0');
            at += 1;
        }
    }
    at = after(bytes, at, b"\"b\":[");
    at = side(bytes, at, Side::Bid, scale, book);
    at = after(bytes, at, b"\"a\":[");
    at = side(bytes, at, Side::Ask, scale, book);
    if bybit {
        at = after(bytes, at, b"\"u\":");
        while bytes[at].is_ascii_digit() {
            last = last * 10 + u64::from(bytes[at] - b'0');
            at += 1;
        }
    }
    last
}

#[inline]
fn after(bytes: &[u8], from: usize, key: &[u8]) -> usize {
    let mut at = from;
    while !bytes[at..].starts_with(key) {
        at += 1;
    }
    at + key.len()
}

/// `["1.5","2"],["1.4","0"]]`; returns what stands behind.
#[inline]
fn side<B: Book>(bytes: &[u8], from: usize, side: Side, scale: Scale, book: &mut B) -> usize {
    let mut at = from;
    while bytes[at] == b'[' {
        at += 2;
        let tick = fixed(bytes, &mut at, scale.price);
        at += 3;
        let size = fixed(bytes, &mut at, SIZE_DECIMALS);
        at += 2;
        book.set(side, tick, size);
        if bytes[at] == b',' {
            at += 1;
        }
    }
    at + 1
}
