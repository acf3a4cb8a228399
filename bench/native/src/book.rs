//! Order books by price in ticks. Sizes are opaque except for zero, which removes a level.

use hftbacktest::depth::{HashMapMarketDepth, L2MarketDepth, MarketDepth};
use std::collections::BTreeMap;

#[derive(Clone, Copy, PartialEq)]
pub enum Side {
    Bid,
    Ask,
}

pub trait Book {
    fn clear(&mut self);
    fn set(&mut self, side: Side, tick: i64, size: i64);
    /// Ticks of the best bid and ask; 0 on an empty side.
    fn best(&self) -> (i64, i64);
}

#[derive(Default)]
pub struct Tree {
    bids: BTreeMap<i64, i64>,
    asks: BTreeMap<i64, i64>,
}

impl Book for Tree {
    fn clear(&mut self) {
        self.bids.clear();
        self.asks.clear();
    }

    fn set(&mut self, side: Side, tick: i64, size: i64) {
        let levels = if side == Side::Bid { &mut self.bids } else { &mut self.asks };
        if size == 0 {
            levels.remove(&tick);
        } else {
            levels.insert(tick, size);
        }
    }

    fn best(&self) -> (i64, i64) {
        let bid = self.bids.last_key_value().map_or(0, |(tick, _)| *tick);
        let ask = self.asks.first_key_value().map_or(0, |(tick, _)| *tick);
        (bid, ask)
    }
}

/// The depth that hftbacktest replays with. A tick is 1 here, so that its rounding is exact.
pub struct Hft(HashMapMarketDepth);

impl Hft {
    pub fn new() -> Self {
        Hft(HashMapMarketDepth::new(1.0, 1e-8))
    }
}

impl Book for Hft {
    fn clear(&mut self) {
        self.0 = HashMapMarketDepth::new(1.0, 1e-8);
    }

    fn set(&mut self, side: Side, tick: i64, size: i64) {
        let (price, size) = (tick as f64, size as f64 / 1e8);
        if side == Side::Bid {
            self.0.update_bid_depth(price, size, 0);
        } else {
            self.0.update_ask_depth(price, size, 0);
        }
    }

    fn best(&self) -> (i64, i64) {
        (self.0.best_bid_tick(), self.0.best_ask_tick())
    }
}

const WINDOW: i64 = 1 << 16;

/// One side: a window of sizes by tick with a bitmap of what is there, and a tree for what lies far away.
struct Half {
    side: Side,
    base: i64,
    placed: bool,
    sizes: Vec<i64>,
    bits: Vec<u64>,
    /// One bit for each word of `bits`.
    words: Vec<u64>,
    far: BTreeMap<i64, i64>,
    /// Place of the best level in the window; -1: the window is empty.
    best: i64,
}

impl Half {
    fn new(side: Side) -> Self {
        let words = (WINDOW / 64) as usize;
        Half {
            side,
            base: 0,
            placed: false,
            sizes: vec![0; WINDOW as usize],
            bits: vec![0; words],
            words: vec![0; words / 64],
            far: BTreeMap::new(),
            best: -1,
        }
    }

    fn clear(&mut self) {
        self.sizes.fill(0);
        self.bits.fill(0);
        self.words.fill(0);
        self.far.clear();
        self.placed = false;
        self.best = -1;
    }

    #[inline]
    fn better(&self, a: i64, b: i64) -> bool {
        if self.side == Side::Bid { a > b } else { a < b }
    }

    #[inline]
    fn set(&mut self, tick: i64, size: i64) {
        if !self.placed {
            self.placed = true;
            self.base = tick - WINDOW / 2;
        }
        let at = tick - self.base;
        if !(0..WINDOW).contains(&at) {
            self.set_far(tick, size);
            return;
        }
        self.sizes[at as usize] = size;
        let (word, bit) = ((at >> 6) as usize, 1u64 << (at & 63));
        if size != 0 {
            self.bits[word] |= bit;
            self.words[word >> 6] |= 1 << (word & 63);
            if self.best < 0 || self.better(at, self.best) {
                self.best = at;
            }
            return;
        }
        self.bits[word] &= !bit;
        if self.bits[word] == 0 {
            self.words[word >> 6] &= !(1 << (word & 63));
        }
        if at == self.best {
            self.best = self.next();
        }
    }

    /// The best level of the window after the one that has just gone.
    fn next(&self) -> i64 {
        let find = |word: usize| {
            let bits = self.bits[word];
            let bit = if self.side == Side::Bid { 63 - bits.leading_zeros() } else { bits.trailing_zeros() };
            (word as i64) * 64 + i64::from(bit)
        };
        let from = (self.best >> 6) as usize;
        if self.bits[from] != 0 {
            return find(from);
        }
        let mut groups = 0..self.words.len();
        let group = |g: usize| {
            let words = self.words[g];
            let bid = self.side == Side::Bid;
            let place = if bid { 63 - words.leading_zeros() } else { words.trailing_zeros() };
            find(g * 64 + place as usize)
        };
        let full = |g: &usize| self.words[*g] != 0;
        let found = if self.side == Side::Bid { groups.rev().find(full) } else { groups.find(full) };
        found.map_or(-1, group)
    }

    #[cold]
    fn set_far(&mut self, tick: i64, size: i64) {
        if size == 0 {
            self.far.remove(&tick);
        } else {
            self.far.insert(tick, size);
        }
    }

    fn tick(&self) -> i64 {
        let near = if self.best < 0 { None } else { Some(self.base + self.best) };
        let far = if self.side == Side::Bid { self.far.last_key_value() } else { self.far.first_key_value() };
        match (near, far.map(|(tick, _)| *tick)) {
            (Some(near), Some(far)) if self.better(far, near) => far,
            (Some(near), _) => near,
            (None, far) => far.unwrap_or(0),
        }
    }
}

pub struct Dense {
    bids: Half,
    asks: Half,
}

impl Dense {
    pub fn new() -> Self {
        Dense { bids: Half::new(Side::Bid), asks: Half::new(Side::Ask) }
    }
}

impl Book for Dense {
    fn clear(&mut self) {
        self.bids.clear();
        self.asks.clear();
    }

    #[inline]
    fn set(&mut self, side: Side, tick: i64, size: i64) {
        if side == Side::Bid {
            self.bids.set(tick, size);
        } else {
            self.asks.set(tick, size);
        }
    }

    fn best(&self) -> (i64, i64) {
        (self.bids.tick(), self.asks.tick())
    }
}
