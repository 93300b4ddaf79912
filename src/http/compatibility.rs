//! Characters that some reader turns into a separator.
//!
//! Owns: the list of characters outside ASCII whose compatibility form (NFKC, UAX 15) contains one of `. / \ ; % ? #`.
//! An upstream that normalises a path after it was judged would find a dot segment or another path in it (S2). The
//! test compares the list with the `unicode-normalization` crate for all of Unicode.

/// Sorted, so that it can be searched by halves.
#[rustfmt::skip]
const TO_SEPARATORS: [char; 52] = [
    '\u{37e}', // greek question mark
    '\u{2024}', // one dot leader
    '\u{2025}', // two dot leader
    '\u{2026}', // horizontal ellipsis
    '\u{2047}', // double question mark
    '\u{2048}', // question exclamation mark
    '\u{2049}', // exclamation question mark
    '\u{2100}', // account of
    '\u{2101}', // addressed to the subject
    '\u{2105}', // care of
    '\u{2106}', // cada una
    '\u{2488}', // digit one full stop
    '\u{2489}', // digit two full stop
    '\u{248a}', // digit three full stop
    '\u{248b}', // digit four full stop
    '\u{248c}', // digit five full stop
    '\u{248d}', // digit six full stop
    '\u{248e}', // digit seven full stop
    '\u{248f}', // digit eight full stop
    '\u{2490}', // digit nine full stop
    '\u{2491}', // number ten full stop
    '\u{2492}', // number eleven full stop
    '\u{2493}', // number twelve full stop
    '\u{2494}', // number thirteen full stop
    '\u{2495}', // number fourteen full stop
    '\u{2496}', // number fifteen full stop
    '\u{2497}', // number sixteen full stop
    '\u{2498}', // number seventeen full stop
    '\u{2499}', // number eighteen full stop
    '\u{249a}', // number nineteen full stop
    '\u{249b}', // number twenty full stop
    '\u{33c2}', // square am
    '\u{33c7}', // square co
    '\u{33d8}', // square pm
    '\u{fe14}', // presentation form for vertical semicolon
    '\u{fe16}', // presentation form for vertical question mark
    '\u{fe19}', // presentation form for vertical horizontal ellipsis
    '\u{fe30}', // presentation form for vertical two dot leader
    '\u{fe52}', // small full stop
    '\u{fe54}', // small semicolon
    '\u{fe56}', // small question mark
    '\u{fe5f}', // small number sign
    '\u{fe68}', // small reverse solidus
    '\u{fe6a}', // small percent sign
    '\u{ff03}', // fullwidth number sign
    '\u{ff05}', // fullwidth percent sign
    '\u{ff0e}', // fullwidth full stop
    '\u{ff0f}', // fullwidth solidus
    '\u{ff1b}', // fullwidth semicolon
    '\u{ff1f}', // fullwidth question mark
    '\u{ff3c}', // fullwidth reverse solidus
    '\u{1f100}', // digit zero full stop
];

/// Whether the compatibility form of `character` contains a separator of paths. ASCII is judged elsewhere.
pub(super) fn hides_separator(character: char) -> bool {
    TO_SEPARATORS.binary_search(&character).is_ok()
}

#[cfg(test)]
mod tests;
