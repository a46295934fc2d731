//! What may happen to a store.

use super::store::{KEYS, TEXTS};
use proptest::prelude::*;

#[derive(Debug, Clone)]
pub enum Op {
    Begin(usize),
    Save(usize),
    /// The process that has a key is gone.
    Crash(usize),
    /// With a fault at a step, if one is given.
    Publish {
        key: usize,
        text: usize,
        replaced: bool,
        fault: Option<u64>,
    },
    LookUp {
        key: usize,
        is_kept: bool,
    },
    Hold(usize),
    Release(usize),
    Drop {
        text: usize,
        fault: Option<u64>,
    },
    Spoil {
        text: usize,
        how: How,
    },
    Gc {
        wishes: Wish,
        fault: Option<u64>,
    },
    Verify {
        repair: bool,
    },
}

#[derive(Debug, Clone, Copy)]
pub enum Wish {
    Nothing,
    Everything,
    HalfTheSize,
}

/// What happens to an artifact's files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    Bit,
    /// The file looks as before.
    HiddenBit,
    FileLess,
    FileMore,
}

pub fn op() -> impl Strategy<Value = Op> {
    let (key, text) = (|| 0..KEYS, || 0..TEXTS);
    let fault = || prop::option::weighted(0.3, 1..32u64);
    let how = prop_oneof![Just(How::Bit), Just(How::HiddenBit), Just(How::FileLess), Just(How::FileMore)];
    let wishes = prop_oneof![2 => Just(Wish::Nothing), 1 => Just(Wish::Everything), 1 => Just(Wish::HalfTheSize)];
    let publish = (key(), text(), any::<bool>(), fault());
    prop_oneof![
        3 => key().prop_map(Op::Begin),
        3 => key().prop_map(Op::Save),
        3 => key().prop_map(Op::Crash),
        8 => publish.prop_map(|(key, text, replaced, fault)| Op::Publish { key, text, replaced, fault }),
        6 => (key(), any::<bool>()).prop_map(|(key, is_kept)| Op::LookUp { key, is_kept }),
        2 => text().prop_map(Op::Hold),
        3 => (0..3usize).prop_map(Op::Release),
        3 => (text(), fault()).prop_map(|(text, fault)| Op::Drop { text, fault }),
        3 => (text(), how).prop_map(|(text, how)| Op::Spoil { text, how }),
        2 => (wishes, fault()).prop_map(|(wishes, fault)| Op::Gc { wishes, fault }),
        2 => any::<bool>().prop_map(|repair| Op::Verify { repair }),
    ]
}
