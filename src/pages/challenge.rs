//! The page of challenge mode: a script finds the proof of work, and takes it back to the edge.

use super::assets::PROOF_FILE;
use super::layout::{Layout, Needs, is_web_address};
use super::{Brand, CHALLENGE_PATH, Page, text};

/// What the challenge page works on.
#[derive(Clone, Copy, Debug)]
pub struct ChallengePage<'a> {
    /// The host that is being entered, as browsers see it.
    pub tunnel_host: &'a str,
    pub request: &'a str,
    /// Letters, digits, `-` and `_`; what [`super::verify`] does not take as a nonce, no browser solves.
    pub nonce: &'a str,
    pub difficulty_bits: u8,
    /// Where to begin anew, absolute: a link for the case that the script fails or is switched off.
    pub return_url: &'a str,
}

/// The page, which leaves by itself.
pub fn challenge(brand: &Brand, page: &ChallengePage<'_>) -> Page {
    let mut layout = Layout::open(brand, Needs::Script, "", text::CHALLENGE);
    let html = &mut layout.html;
    html.markup("<p class=\"lead\">")
        .sentence(text::CHALLENGE_WHAT, page.tunnel_host)
        .markup("</p>\n<div id=\"challenge\" hidden");
    let bits = page.difficulty_bits.to_string();
    let data: [(&'static str, &str); 8] = [
        (" data-path=\"", CHALLENGE_PATH),
        (" data-request=\"", page.request),
        (" data-nonce=\"", page.nonce),
        (" data-bits=\"", &bits),
        (" data-worker=\"", &PROOF_FILE.path),
        (" data-working=\"", text::CHALLENGE_WORKING),
        (" data-done=\"", text::CHALLENGE_DONE),
        (" data-failed=\"", text::CHALLENGE_FAILED),
    ];
    for (name, value) in data {
        html.markup(name).text(value).markup("\"");
    }
    html.markup(">\n<progress id=\"progress\" max=\"1\" value=\"0\" aria-label=\"")
        .text(text::CHALLENGE_PROGRESS)
        .markup("\"></progress>\n</div>\n")
        // Empty until the script fills it: only a change of what is there is read out.
        .markup("<p class=\"note\" id=\"state\" role=\"status\"></p>\n<p id=\"again\" hidden><a class=\"button\" href=\"")
        .text(start_again(page))
        .markup("\">")
        .text(text::TRY_AGAIN)
        .markup("</a></p>\n<noscript><p class=\"alert\">")
        .text(text::CHALLENGE_NO_SCRIPT)
        .markup("</p>\n<p><a class=\"button\" href=\"")
        .text(start_again(page))
        .markup("\">")
        .text(text::TRY_AGAIN)
        .markup("</a></p></noscript>\n");
    layout.close(200)
}

/// An empty link is the page itself.
fn start_again<'a>(page: &ChallengePage<'a>) -> &'a str {
    if is_web_address(page.return_url) {
        page.return_url
    } else {
        ""
    }
}
