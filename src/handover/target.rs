//! Where a browser goes back to: a target in origin form, on the host that it came from (S5.5).

use crate::limits::RETURN_TARGET_BYTES_MAX;

/// The target, or `/` in place of one that some reader could take for another host, or that is too long to carry.
pub fn return_target(target: &[u8]) -> &str {
    let plain = |byte: &u8| byte.is_ascii_graphic() && !matches!(byte, b'\\' | b'#');
    let is_good = target.len() <= RETURN_TARGET_BYTES_MAX
        && target.starts_with(b"/")
        && !target.starts_with(b"//")
        && target.iter().all(plain);
    let text = is_good.then(|| std::str::from_utf8(target).ok()).flatten();
    text.unwrap_or("/")
}
