//! What all pages share: head and card, and the security headers.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::digest::{SHA256, digest};

use super::assets::{CHALLENGE_FILE, MARK_FILE, STYLE, STYLE_FILE};
use super::html::Html;
use super::{Brand, Header, Page, text};

/// What a page may do, which is what its Content-Security-Policy allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Needs {
    /// Text and links, on any host.
    Nothing,
    /// Files of the base host.
    Files,
    /// Files, and a form to the base host.
    Form,
    /// Files, a script and its worker.
    Script,
}

impl Needs {
    fn policy(self) -> &'static str {
        match self {
            Needs::Nothing => &INLINE_POLICY,
            Needs::Files => {
                "default-src 'none'; style-src 'self'; img-src 'self'; \
                 form-action 'none'; frame-ancestors 'none'; base-uri 'none'"
            }
            Needs::Form => {
                "default-src 'none'; style-src 'self'; img-src 'self'; \
                 form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
            }
            Needs::Script => {
                "default-src 'none'; style-src 'self'; img-src 'self'; script-src 'self'; worker-src 'self'; \
                 form-action 'none'; frame-ancestors 'none'; base-uri 'none'"
            }
        }
    }

    /// A form of a page without referrers says `Origin: null` (Fetch 3.2, "append a request Origin header"), and could
    /// not be told from another host's. `same-origin` tells our own host alone.
    fn referrer_policy(self) -> &'static str {
        match self {
            Needs::Form => "same-origin",
            Needs::Nothing | Needs::Files | Needs::Script => "no-referrer",
        }
    }
}

static INLINE_POLICY: LazyLock<String> = LazyLock::new(|| {
    let hash = STANDARD.encode(digest(&SHA256, STYLE.as_bytes()));
    format!(
        "default-src 'none'; style-src 'sha256-{hash}'; form-action 'none'; frame-ancestors 'none'; base-uri 'none'"
    )
});

/// A page whose card is open.
pub(super) struct Layout {
    pub(super) html: Html,
    needs: Needs,
}

impl Layout {
    /// `prefix` stands before the heading in the title of the window alone: there a screen reader hears it first.
    pub(super) fn open(
        brand: &Brand,
        needs: Needs,
        prefix: &'static str,
        heading: &'static str,
    ) -> Layout {
        Layout::open_with(brand, needs, prefix, heading, |_| {})
    }

    /// `head` adds to the head.
    pub(super) fn open_with(
        brand: &Brand,
        needs: Needs,
        prefix: &'static str,
        heading: &'static str,
        head: impl FnOnce(&mut Html),
    ) -> Layout {
        let mut html = Html::new();
        html.markup("<!doctype html>\n<html lang=\"")
            .text(text::LANGUAGE)
            .markup("\">\n<head>\n<meta charset=\"utf-8\">\n")
            .markup("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n")
            .markup("<meta name=\"color-scheme\" content=\"light dark\">\n")
            .markup("<meta name=\"robots\" content=\"noindex\">\n<title>")
            .text(prefix)
            .text(heading);
        if !brand.title.is_empty() {
            html.markup(" - ").text(&brand.title);
        }
        html.markup("</title>\n");
        style(&mut html, brand, needs);
        head(&mut html);
        html.markup("</head>\n<body>\n<div class=\"card\">\n<header class=\"brand\">");
        match &brand.logo {
            Some(logo) if needs != Needs::Nothing => {
                html.markup("<img alt=\"\" src=\"")
                    .text(&logo.path)
                    .markup("\">");
            }
            // Not an image but a part of the page: it needs no file, and takes the colours of the style.
            Some(_) | None => {
                html.markup(include_str!("assets/mark.html"));
            }
        }
        html.markup("<span>")
            .text(&brand.title)
            .markup("</span></header>\n<main>\n<h1>")
            .text(heading)
            .markup("</h1>\n");
        Layout { html, needs }
    }

    pub(super) fn close(mut self, status: u16) -> Page {
        self.html.markup("</main>\n</div>\n</body>\n</html>\n");
        Page {
            status,
            content_type: "text/html; charset=utf-8",
            headers: headers(self.needs.policy(), self.needs.referrer_policy()),
            body: self.html.finish(),
        }
    }
}

/// What goes with a page that may do so much.
pub(super) fn headers(policy: &'static str, referrer_policy: &'static str) -> [Header; 7] {
    [
        ("Content-Security-Policy", policy),
        ("Referrer-Policy", referrer_policy),
        ("X-Content-Type-Options", "nosniff"),
        ("Cross-Origin-Opener-Policy", "same-origin"),
        ("Cross-Origin-Resource-Policy", "same-origin"),
        (
            "Permissions-Policy",
            "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
        ),
        ("Cache-Control", "no-store"),
    ]
}

fn style(html: &mut Html, brand: &Brand, needs: Needs) {
    if needs == Needs::Nothing {
        html.markup("<style>").markup(STYLE).markup("</style>\n");
        return;
    }
    let icon = brand.logo.as_ref().map(|logo| logo.path.as_str());
    html.markup("<link rel=\"icon\" href=\"")
        .text(icon.unwrap_or(&MARK_FILE.path))
        .markup("\">\n<link rel=\"stylesheet\" href=\"")
        .text(&STYLE_FILE.path)
        .markup("\">\n");
    if needs == Needs::Script {
        html.markup("<script defer src=\"")
            .text(&CHALLENGE_FILE.path)
            .markup("\"></script>\n");
    }
}

/// The address of a page on a host as browsers see it.
pub(super) fn origin_link(html: &mut Html, host: &str) {
    html.markup("https://").text(host).markup("/");
}

/// An address that a link may have: any other scheme could be code.
pub(super) fn is_web_address(address: &str) -> bool {
    address.starts_with("https://") || address.starts_with("http://")
}
