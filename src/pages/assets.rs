//! The files that pages on the base host load: style, scripts, icon, and the configured logo.
//!
//! A file's name has a hash of what is in it. A name therefore stays good for ever, and a new version is a new name.

use std::sync::LazyLock;

use ring::digest::{SHA256, digest};

use super::Header;
use crate::limits::LOGO_BYTES_MAX;

const FOLDER: &str = "/rstream/assets/";
/// Those of the admin listener, which serves nothing else of the base host.
const LIVE_FOLDER: &str = "/assets/";

pub(super) const STYLE: &str = include_str!("assets/page.css");

pub(super) static STYLE_FILE: LazyLock<Builtin> =
    LazyLock::new(|| Builtin::new("page", Kind::Css, STYLE.as_bytes()));
pub(super) static CHALLENGE_FILE: LazyLock<Builtin> = LazyLock::new(|| {
    Builtin::new(
        "challenge",
        Kind::Script,
        include_bytes!("assets/challenge.js"),
    )
});
pub(super) static PROOF_FILE: LazyLock<Builtin> =
    LazyLock::new(|| Builtin::new("proof", Kind::Script, include_bytes!("assets/proof.js")));
pub(super) static MARK_FILE: LazyLock<Builtin> =
    LazyLock::new(|| Builtin::new("mark", Kind::Svg, include_bytes!("assets/mark.svg")));

pub(super) static LIVE_STYLE_FILE: LazyLock<Builtin> = LazyLock::new(|| {
    let style = concat!(
        include_str!("assets/page.css"),
        include_str!("assets/live.css")
    );
    Builtin::of_live("live", Kind::Css, style.as_bytes())
});
pub(super) static LIVE_FILE: LazyLock<Builtin> =
    LazyLock::new(|| Builtin::of_live("live", Kind::Script, include_bytes!("assets/live.js")));
pub(super) static LIVE_CHART_FILE: LazyLock<Builtin> =
    LazyLock::new(|| Builtin::of_live("chart", Kind::Script, include_bytes!("assets/chart.js")));
pub(super) static LIVE_MARK_FILE: LazyLock<Builtin> =
    LazyLock::new(|| Builtin::of_live("mark", Kind::Svg, include_bytes!("assets/mark.svg")));

/// The answer to a request for a file: always 200.
#[derive(Clone, Copy, Debug)]
pub struct Asset<'a> {
    pub content_type: &'static str,
    pub headers: [Header; 4],
    pub body: &'a [u8],
}

/// The file of a path, if there is one. A name with an old hash is none.
pub fn asset<'a>(logo: Option<&'a Logo>, path: &str) -> Option<Asset<'a>> {
    let ours: [&Builtin; 4] = [&STYLE_FILE, &CHALLENGE_FILE, &PROOF_FILE, &MARK_FILE];
    ours.into_iter()
        .find(|file| file.path == path)
        .map(|file| file.kind.asset(file.body))
        .or_else(|| {
            logo.filter(|logo| logo.path == path)
                .map(|logo| logo.kind.asset(&logo.body))
        })
}

/// A file of the live page, likewise.
pub fn live_asset(path: &str) -> Option<Asset<'static>> {
    let ours: [&'static Builtin; 4] = [
        &LIVE_STYLE_FILE,
        &LIVE_FILE,
        &LIVE_CHART_FILE,
        &LIVE_MARK_FILE,
    ];
    let file = ours.into_iter().find(|file| file.path == path)?;
    Some(file.kind.asset(file.body))
}

/// A file that is compiled in.
pub(super) struct Builtin {
    pub(super) path: String,
    kind: Kind,
    body: &'static [u8],
}

impl Builtin {
    fn new(name: &str, kind: Kind, body: &'static [u8]) -> Builtin {
        let path = kind.path(FOLDER, name, body);
        Builtin { path, kind, body }
    }

    fn of_live(name: &str, kind: Kind, body: &'static [u8]) -> Builtin {
        let path = kind.path(LIVE_FOLDER, name, body);
        Builtin { path, kind, body }
    }
}

/// An image that the configuration names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logo {
    pub(super) path: String,
    kind: Kind,
    body: Vec<u8>,
}

/// Why a file is no logo.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogoError {
    /// Over [`LOGO_BYTES_MAX`].
    TooLarge,
    /// Neither PNG nor SVG by what is in it; its name does not count.
    NeitherPngNorSvg,
}

impl Logo {
    pub fn parse(body: Vec<u8>) -> Result<Logo, LogoError> {
        if body.len() > LOGO_BYTES_MAX {
            return Err(LogoError::TooLarge);
        }
        let kind = match (is_png(&body), is_svg(&body)) {
            (true, _) => Kind::Png,
            (false, true) => Kind::Svg,
            (false, false) => return Err(LogoError::NeitherPngNorSvg),
        };
        let path = kind.path(FOLDER, "logo", &body);
        Ok(Logo { path, kind, body })
    }
}

/// The signature and the type of the first chunk (PNG third edition, 5.2 and 11.2.1).
fn is_png(body: &[u8]) -> bool {
    body.starts_with(b"\x89PNG\r\n\x1a\n") && body.get(12..16) == Some(b"IHDR")
}

/// Whether the first element is `svg`, behind what XML allows before it. A document type with declarations of its own is
/// refused: entities have no use in an image.
fn is_svg(body: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(body) else {
        return false;
    };
    let mut rest = text.strip_prefix('\u{feff}').unwrap_or(text);
    loop {
        rest = rest.trim_start();
        let end = if rest.starts_with("<?") {
            "?>"
        } else if rest.starts_with("<!--") {
            "-->"
        } else if rest.starts_with("<!DOCTYPE") {
            ">"
        } else {
            break;
        };
        match rest.split_once(end) {
            Some((skipped, after)) if end != ">" || !skipped.contains('[') => rest = after,
            Some(_) | None => return false,
        }
    }
    rest.strip_prefix("<svg")
        .is_some_and(|after| after.starts_with([' ', '\t', '\r', '\n', '>', '/']))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Css,
    Script,
    Svg,
    Png,
}

impl Kind {
    fn path(self, folder: &str, name: &str, body: &[u8]) -> String {
        let hash = digest(&SHA256, body);
        let hash: String = hash
            .as_ref()
            .iter()
            .take(8)
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let extension = match self {
            Kind::Css => "css",
            Kind::Script => "js",
            Kind::Svg => "svg",
            Kind::Png => "png",
        };
        format!("{folder}{name}.{hash}.{extension}")
    }

    fn asset(self, body: &[u8]) -> Asset<'_> {
        let content_type = match self {
            Kind::Css => "text/css; charset=utf-8",
            Kind::Script => "text/javascript; charset=utf-8",
            Kind::Svg => "image/svg+xml",
            Kind::Png => "image/png",
        };
        // A worker lives by the policy of its own file, and needs nothing. An SVG that is opened by itself is a document
        // of this host: the sandbox takes its scripts and its origin.
        let policy = match self {
            Kind::Css | Kind::Script | Kind::Png => "default-src 'none'",
            Kind::Svg => "sandbox; default-src 'none'; style-src 'unsafe-inline'",
        };
        let headers = [
            ("Content-Security-Policy", policy),
            ("X-Content-Type-Options", "nosniff"),
            ("Cross-Origin-Resource-Policy", "same-origin"),
            ("Cache-Control", "public, max-age=31536000, immutable"),
        ];
        Asset {
            content_type,
            headers,
            body,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SVG: &[u8] = b"<svg xmlns=\"http://www.w3.org/2000/svg\"/>";
    const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01";

    fn field<'a>(asset: &'a Asset<'_>, name: &str) -> &'a str {
        let mut headers = asset.headers.iter();
        headers.find(|(found, _)| *found == name).unwrap().1
    }

    #[test]
    fn a_file_is_found_by_its_whole_name_only() {
        let path = STYLE_FILE.path.as_str();
        let hash = path.strip_prefix("/rstream/assets/page.").unwrap();
        let hash = hash.strip_suffix(".css").unwrap();
        assert!(hash.len() == 16 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let found = asset(None, path).unwrap();
        assert_eq!(found.body, STYLE.as_bytes());
        assert_eq!(found.content_type, "text/css; charset=utf-8");
        assert_eq!(
            field(&found, "Cache-Control"),
            "public, max-age=31536000, immutable"
        );
        let others = [
            path.replace(hash, "0123456789abcdef"),
            path.replace(".css", ".js"),
            path.to_uppercase(),
            format!("{path}/"),
            format!("{path}?a"),
            path.replace("assets/", "assets/../assets/"),
            "/rstream/assets/page.css".to_owned(),
            "/rstream/assets/".to_owned(),
            String::new(),
        ];
        for other in others {
            assert!(asset(None, &other).is_none(), "{other}");
        }
    }

    #[test]
    fn another_content_has_another_name() {
        let one = Logo::parse(SVG.to_vec()).unwrap();
        let other = Logo::parse([SVG, b"\n"].concat()).unwrap();
        assert_ne!(one.path, other.path);
        assert!(asset(Some(&one), &one.path).is_some());
        assert!(asset(Some(&one), &other.path).is_none() && asset(None, &one.path).is_none());
    }

    #[test]
    fn a_logo_is_served_as_what_it_is_and_an_svg_in_a_sandbox() {
        let svg = Logo::parse(SVG.to_vec()).unwrap();
        let found = asset(Some(&svg), &svg.path).unwrap();
        assert_eq!(found.content_type, "image/svg+xml");
        assert!(field(&found, "Content-Security-Policy").starts_with("sandbox;"));
        let png = Logo::parse(PNG.to_vec()).unwrap();
        let found = asset(Some(&png), &png.path).unwrap();
        assert_eq!((found.content_type, found.body), ("image/png", PNG));
    }

    #[test]
    fn what_is_neither_png_nor_svg_is_no_logo() {
        let svgs: [&[u8]; 4] = [
            b"\xef\xbb\xbf<?xml version=\"1.0\"?>\n<!-- a > b --><svg >",
            b"<!DOCTYPE svg PUBLIC \"-//W3C//DTD SVG 1.1//EN\" \"svg11.dtd\">\n<svg\n>",
            b"  <svg/>",
            SVG,
        ];
        for svg in svgs {
            assert!(Logo::parse(svg.to_vec()).is_ok(), "{}", svg.escape_ascii());
        }
        let others: [&[u8]; 9] = [
            b"",
            b"<html><svg>",
            b"<svgx>",
            b"<svg",
            b"<!-- <svg>",
            b"<!DOCTYPE svg [<!ENTITY a \"b\">]><svg>",
            b"<svg>\xff",
            b"\x89PNG\r\n\x1a\n",
            b"GIF89a",
        ];
        for other in others {
            let error = Logo::parse(other.to_vec());
            assert_eq!(
                error,
                Err(LogoError::NeitherPngNorSvg),
                "{}",
                other.escape_ascii()
            );
        }
        let mut long = SVG.to_vec();
        long.resize(LOGO_BYTES_MAX, b' ');
        assert!(Logo::parse(long.clone()).is_ok());
        long.push(b' ');
        assert_eq!(Logo::parse(long), Err(LogoError::TooLarge));
    }
}
