//! The nearest known name to one that nobody knows: a misspelt guard is a missing guard, so say which was meant.

/// The candidate that `name` most likely stands for. `None` if none is near.
pub(super) fn nearest<'a>(
    name: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let plain = plain(name);
    let near = (name.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .map(|candidate| {
            let distance = strsim::damerau_levenshtein(&plain, &self::plain(candidate));
            (distance, candidate)
        })
        .filter(|(distance, _)| *distance <= near)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Case and the choice between `-` and `_` are no difference worth counting.
fn plain(name: &str) -> String {
    name.to_ascii_lowercase().replace('-', "_")
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn a_slip_of_the_finger_finds_its_key() {
        let keys = ["token_auth", "rstream_auth", "public", "id"];
        assert_eq!(nearest("token_auht", keys), Some("token_auth"));
        assert_eq!(nearest("token-auth", keys), Some("token_auth"));
        assert_eq!(nearest("Public", keys), Some("public"));
        assert_eq!(nearest("ip", keys), Some("id"));
    }

    #[test]
    fn another_word_finds_nothing() {
        let keys = ["token_auth", "public", "id"];
        assert_eq!(nearest("colour", keys), None);
        assert_eq!(nearest("xy", keys), None);
        assert_eq!(nearest("", keys), None);
    }
}
