//! Bytes to class masks: the one module with `unsafe`, behind a safe face, with a portable twin of every vector routine.
//!
//! A window of up to 64 bytes becomes one 64-bit mask for each class of bytes; whoever searches cuts runs out of the masks
//! instead of looking at bytes. Vector code inlines only into callers with the same target features, so a search hands
//! itself to [`Best::run`] as a [`Search`] and is compiled once for each kind of [`Scanner`].

#[cfg(target_arch = "x86_64")]
mod avx2;
pub mod fingerprint;
mod portable;

pub use portable::Portable;

/// Bytes that one window spans at most.
pub const WINDOW: usize = 64;

/// Which bytes of a window belong to which class: bit `i` stands for the window's byte `i`. Bits past the window's length
/// mean nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Masks {
    /// Letters, digits, `-`, `_` and every byte above 0x7f: what labels are made of.
    pub word: u64,
    /// `.`
    pub dot: u64,
    /// `0`–`9`
    pub digit: u64,
    /// `:`
    pub colon: u64,
    /// `<`, `=`, `\` and `]`, behind which a name may stand; and `|`, `}`, 0x1c and 0x1d, which share their bits.
    pub lead: u64,
    /// `@` and `%`, which [`Rare`] tells apart.
    pub mail: u64,
    /// `{` and every byte above 0x7f, which [`Rare`] tells apart.
    pub odd: u64,
}

/// The classes that few windows need.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rare {
    /// `0`–`9`, `a`–`f`, `A`–`F`
    pub hex: u64,
    /// `@`
    pub at: u64,
    /// `%`
    pub percent: u64,
    /// Bytes above 0x7f.
    pub high: u64,
    /// `{`
    pub brace: u64,
}

impl Masks {
    /// With the bits of `bits` alone.
    #[inline(always)]
    pub fn within(&self, bits: u64) -> Masks {
        Masks {
            word: self.word & bits,
            dot: self.dot & bits,
            digit: self.digit & bits,
            colon: self.colon & bits,
            lead: self.lead & bits,
            mail: self.mail & bits,
            odd: self.odd & bits,
        }
    }
}

impl Rare {
    /// With the bits of `bits` alone.
    #[inline(always)]
    pub fn within(&self, bits: u64) -> Rare {
        Rare {
            hex: self.hex & bits,
            at: self.at & bits,
            percent: self.percent & bits,
            high: self.high & bits,
            brace: self.brace & bits,
        }
    }
}

/// What three bytes in a row may be, in up to eight ways: a bit each. A byte belongs where both its nibbles do, so that more
/// belong than were given.
#[derive(Debug)]
pub struct Threes {
    low: [[u8; 16]; 3],
    high: [[u8; 16]; 3],
}

impl Threes {
    /// For each of eight ways the bytes that may stand first, second and third.
    pub const fn new(ways: &[[&[u8]; 3]; 8]) -> Threes {
        let mut threes = Threes { low: [[0; 16]; 3], high: [[0; 16]; 3] };
        let mut way = 0;
        while way < 8 {
            let mut place = 0;
            while place < 3 {
                let bytes = ways[way][place];
                let mut i = 0;
                while i < bytes.len() {
                    threes.low[place][(bytes[i] & 0xf) as usize] |= 1 << way;
                    threes.high[place][(bytes[i] >> 4) as usize] |= 1 << way;
                    i += 1;
                }
                place += 1;
            }
            way += 1;
        }
        threes
    }
}

/// The bits by which [`Masks::lead`] is told, and what they are.
const LEAD_BITS: u8 = 0x9e;
const LEAD: u8 = 0x1c;

/// The last bytes of a buffer, where reading a whole block would leave it: the block with NUL behind them.
///
/// # Panics
/// If there are more than fit into one.
#[cold]
#[inline(never)]
pub fn padded<const N: usize>(tail: &[u8]) -> [u8; N] {
    let mut block = [0; N];
    block[..tail.len()].copy_from_slice(tail);
    block
}

/// The least numbers of one, two and three digits that lead with no zero.
const LEAST: [u32; 3] = [0, 10, 100];

/// One way to classify bytes.
pub trait Scanner: Copy {
    /// Classifies `buf[at..at + len]`, `len` at most [`WINDOW`]. May read past it, but within `buf`.
    ///
    /// # Panics
    /// If the window does not lie in `buf`.
    fn masks(self, buf: &[u8], at: usize, len: usize) -> Masks;

    /// The same of the other classes.
    fn rare(self, buf: &[u8], at: usize, len: usize) -> Rare;

    /// Which bytes of a window are neither `=` nor `:`, or have three bytes before them that are among `threes`: those before the
    /// window too. All, where 64 bytes of a window and three before it do not lie in `buf`.
    fn led(self, buf: &[u8], at: usize, threes: &Threes) -> u64;

    /// The value of a dotted quad that begins with `text`, its numbers of so many digits each: one to three. None if a
    /// number is above 255 or leads with a zero.
    fn quad(self, text: &[u8; 16], digits: [u32; 4]) -> Option<u32>;

    /// Runs a part of the search in a function of its own, compiled as all of it is: in one function the vectors of each
    /// window would make room for what few windows need.
    fn apart<S: Search>(self, part: S) -> S::Output;
}

/// A search that wants a scanner. `run` must be `#[inline(always)]`, or the vector code in it stays out of line.
pub trait Search {
    type Output;
    fn run<S: Scanner>(self, scanner: S) -> Self::Output;
}

/// The best scanner that this machine has, found out once.
#[derive(Clone, Copy, Debug)]
pub struct Best {
    #[cfg(target_arch = "x86_64")]
    avx2: Option<avx2::Avx2>,
}

impl Best {
    pub fn new() -> Best {
        Best {
            #[cfg(target_arch = "x86_64")]
            avx2: avx2::Avx2::new(),
        }
    }

    /// Runs the search with it.
    #[inline(always)]
    pub fn run<S: Search>(self, search: S) -> S::Output {
        #[cfg(target_arch = "x86_64")]
        if let Some(scanner) = self.avx2 {
            return scanner.run(search);
        }
        portably(search)
    }
}

/// Out of line, so that whoever searches is not slower for what few machines need.
#[inline(never)]
fn portably<S: Search>(search: S) -> S::Output {
    search.run(Portable)
}

impl Default for Best {
    fn default() -> Best {
        Best::new()
    }
}

#[cfg(test)]
mod tests;
