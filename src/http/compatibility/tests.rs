use super::*;
use unicode_normalization::UnicodeNormalization;

const SEPARATORS: &[char] = &['.', '/', '\\', ';', '%', '?', '#'];

#[test]
fn the_list_is_sorted() {
    assert!(TO_SEPARATORS.is_sorted());
}

#[test]
fn the_list_is_that_of_unicode() {
    for character in '\u{80}'..=char::MAX {
        let hides = std::iter::once(character)
            .nfkc()
            .any(|found| SEPARATORS.contains(&found));
        assert_eq!(hides_separator(character), hides, "{character:?}");
    }
}
