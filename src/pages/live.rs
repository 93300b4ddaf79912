//! The live page of the admin listener: what the edge does right now.
//!
//! The page itself has no data. Its script asks for `/status` again and again, draws what it gets, and sends the token
//! that somebody typed into it, which it keeps in memory and nowhere else (S10.4). The policy lets the script write text
//! and nothing that becomes markup: with `require-trusted-types-for` a browser refuses the latter (Trusted Types 1).

use super::assets::{LIVE_CHART_FILE, LIVE_FILE, LIVE_MARK_FILE, LIVE_STYLE_FILE};
use super::html::Html;
use super::layout::headers;
use super::{Page, text};

/// What a browser is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Live {
    /// The numbers.
    Open,
    /// A field for the token, then the numbers: 401.
    AsksForToken,
    /// That no token is configured and how to change that: 401.
    Closed,
}

const POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; script-src 'self'; connect-src 'self'; \
     form-action 'none'; frame-ancestors 'none'; base-uri 'none'; \
     require-trusted-types-for 'script'; trusted-types 'none'";

/// The page, without any data.
pub fn live(live: Live) -> Page {
    let mut html = Html::new();
    html.markup("<!doctype html>\n<html lang=\"")
        .text(text::LANGUAGE)
        .markup("\">\n<head>\n<meta charset=\"utf-8\">\n")
        .markup("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n")
        .markup("<meta name=\"color-scheme\" content=\"light dark\">\n")
        .markup("<title>adit</title>\n<link rel=\"icon\" href=\"")
        .text(&LIVE_MARK_FILE.path)
        .markup("\">\n<link rel=\"stylesheet\" href=\"")
        .text(&LIVE_STYLE_FILE.path)
        .markup("\">\n");
    if live != Live::Closed {
        for script in [&LIVE_CHART_FILE, &LIVE_FILE] {
            html.markup("<script defer src=\"")
                .text(&script.path)
                .markup("\"></script>\n");
        }
    }
    html.markup("</head>\n<body class=\"live\">\n<main>\n");
    match live {
        Live::Open => numbers(&mut html),
        Live::AsksForToken => {
            html.markup("<form id=\"unlock\" class=\"card\" autocomplete=\"off\">\n");
            brand(&mut html);
            html.markup(include_str!("assets/unlock.html"));
            numbers(&mut html);
        }
        Live::Closed => {
            html.markup("<div class=\"card\">\n");
            brand(&mut html);
            html.markup(include_str!("assets/closed.html"));
        }
    }
    html.markup("</main>\n</body>\n</html>\n");
    Page {
        status: if live == Live::Open { 200 } else { 401 },
        content_type: "text/html; charset=utf-8",
        headers: headers(POLICY, "no-referrer"),
        body: html.finish(),
    }
}

fn brand(html: &mut Html) {
    html.markup("<header class=\"brand\">")
        .markup(include_str!("assets/mark.html"))
        .markup("<span>adit</span></header>\n");
}

fn numbers(html: &mut Html) {
    html.markup("<div id=\"live\" hidden>\n<div class=\"title\">\n")
        .markup(include_str!("assets/mark.html"))
        .markup(include_str!("assets/live.html"));
}
