//! Promises of all pages: nothing is echoed unescaped, nothing is inline, every header is there.

use std::collections::BTreeMap;

use super::*;

const HOSTILE: [&str; 8] = [
    "\"><script>alert(1)</script>",
    "' onfocus='alert(1)' autofocus='",
    "</title></style></noscript><img src=x onerror=alert(1)>",
    "javascript:alert(1)",
    "https://a.example/\"><meta http-equiv=refresh content='0;url=//evil.example'>",
    "&quot;&#x3e;&lt;b&gt;",
    "a\0\r\nSet-Cookie: b=c\r\n\r\n<b>",
    "{host}{name}<!--",
];

fn brand(title: &str) -> Brand {
    let logo = Logo::parse(b"<svg/>".to_vec()).unwrap();
    Brand {
        title: title.to_owned(),
        logo: Some(logo),
    }
}

/// Every page, with one value in every field of it.
fn pages(value: &str) -> Vec<(&'static str, Page)> {
    let brand = brand(value);
    let form = SignInPage {
        tunnel_host: value,
        request: value,
        form_token: value,
        user_name: Some(value),
        error: None,
    };
    let with_error = |error| SignInPage {
        error: Some(error),
        ..form
    };
    let refused = DeniedPage {
        tunnel_host: value,
        user_name: Some(value),
        form_token: value,
    };
    let work = ChallengePage {
        tunnel_host: value,
        request: value,
        nonce: value,
        difficulty_bits: 20,
        return_url: value,
    };
    let anew = ChallengePage {
        return_url: &format!("https://{value}"),
        ..work
    };
    let failures = [400, 401, 403, 404, 413, 421, 429, 502, 503, 504].map(|status| {
        let found = Failure::of_status(status).unwrap();
        ("failure", failure(&brand, found, value))
    });
    let mut pages = vec![
        ("sign_in", sign_in(&brand, &form)),
        (
            "wrong password",
            sign_in(&brand, &with_error(SignInError::WrongPassword)),
        ),
        (
            "too many attempts",
            sign_in(&brand, &with_error(SignInError::TooManyAttempts)),
        ),
        (
            "form expired",
            sign_in(&brand, &with_error(SignInError::Expired)),
        ),
        ("denied", denied(&brand, &refused)),
        ("sign_out", sign_out(&brand, value)),
        ("signed_out", signed_out(&brand)),
        (
            "hand_over",
            hand_over(&brand, value, &format!("https://{value}")),
        ),
        ("hand_over nowhere", hand_over(&brand, value, value)),
        ("challenge", challenge(&brand, &work)),
        ("challenge anew", challenge(&brand, &anew)),
        ("expired", expired(&brand, Some(value))),
        ("unavailable", unavailable(&brand)),
    ];
    pages.extend(failures);
    pages
}

/// How often each character that makes markup occurs.
fn markup(body: &str) -> BTreeMap<char, usize> {
    let mut counts = BTreeMap::new();
    for c in body.chars().filter(|c| "<>\"'".contains(*c)) {
        *counts.entry(c).or_default() += 1;
    }
    counts
}

fn header<'a>(page: &'a Page, name: &str) -> &'a str {
    let mut found = page.headers.iter().filter(|(header, _)| *header == name);
    let value = found.next().unwrap().1;
    assert!(found.next().is_none(), "{name} twice");
    value
}

#[test]
fn no_value_in_any_field_changes_the_markup_of_any_page() {
    for value in HOSTILE {
        // A value that is a web address may be a link, and stays one.
        let plain = if value.starts_with("https://") {
            "https://a.example"
        } else {
            "plain"
        };
        for ((name, page), (_, usual)) in pages(value).into_iter().zip(pages(plain)) {
            assert_eq!(markup(&page.body), markup(&usual.body), "{name}: {value:?}");
            assert!(!page.body.contains(['\0', '\r']), "{name}: {value:?}");
            assert!(
                !page.body.contains("href=\"javascript:"),
                "{name}: {value:?}"
            );
            assert_eq!(page.headers, usual.headers, "{name}: {value:?}");
        }
    }
}

#[test]
fn nothing_is_inline_but_the_style_that_the_policy_names() {
    for (name, page) in pages("plain") {
        let body = page.body.replace(assets::STYLE, "");
        for word in [" style=", " on", "javascript:", "@import", "url("] {
            let found = body.contains(&format!("{word}\"")) || body.contains(&format!("{word}="));
            assert!(!found, "{name}: {word}");
        }
        let policy = header(&page, "Content-Security-Policy");
        assert_eq!(
            page.body.contains("<style>"),
            policy.contains("style-src 'sha256-"),
            "{name}"
        );
        assert!(!page.body.contains("<script>"), "{name}");
        let has_script = page.body.contains("<script defer src=\"/rstream/assets/");
        assert_eq!(has_script, policy.contains("script-src"), "{name}");
        assert_eq!(has_script, name.starts_with("challenge"), "{name}");
    }
    assert!(!assets::STYLE.contains('<') && !assets::STYLE.contains("url("));
}

#[test]
fn the_policy_allows_no_more_than_a_page_needs() {
    for (name, page) in pages("plain") {
        let policy = header(&page, "Content-Security-Policy");
        assert!(policy.starts_with("default-src 'none'; "), "{name}");
        assert!(policy.ends_with("; frame-ancestors 'none'; base-uri 'none'"));
        assert!(!policy.contains("unsafe") && !policy.contains('*') && !policy.contains("//"));
        let has_form = page.body.contains("<form ");
        let action = if has_form { "'self'" } else { "'none'" };
        assert!(
            policy.contains(&format!("; form-action {action};")),
            "{name}"
        );
        // Without its origin a form is nobody's.
        let referrer = if has_form {
            "same-origin"
        } else {
            "no-referrer"
        };
        assert_eq!(header(&page, "Referrer-Policy"), referrer, "{name}");
        for (field, value) in [
            ("X-Content-Type-Options", "nosniff"),
            ("Cross-Origin-Opener-Policy", "same-origin"),
            ("Cross-Origin-Resource-Policy", "same-origin"),
            ("Cache-Control", "no-store"),
        ] {
            assert_eq!(header(&page, field), value, "{name}");
        }
        assert!(header(&page, "Permissions-Policy").contains("camera=()"));
        assert_eq!(page.content_type, "text/html; charset=utf-8");
    }
}

#[test]
fn a_page_that_any_host_may_show_loads_no_file() {
    for (name, page) in pages("plain") {
        let is_for_any_host = ["expired", "unavailable", "failure", "hand_over nowhere"];
        let loads = page.body.contains("/rstream/");
        assert_eq!(loads, !is_for_any_host.contains(&name), "{name}");
    }
}

#[test]
fn every_file_that_a_page_names_is_there() {
    let brand = brand("plain");
    let mut seen = 0;
    for (name, page) in pages("plain") {
        for (at, _) in page.body.match_indices("\"/rstream/assets/") {
            let path = page.body[at + 1..].split('"').next().unwrap();
            assert!(asset(brand.logo.as_ref(), path).is_some(), "{name}: {path}");
            seen += 1;
        }
    }
    assert!(seen > 0);
}

#[test]
fn statuses_say_what_happened() {
    let statuses: Vec<u16> = pages("plain").iter().map(|(_, page)| page.status).collect();
    assert_eq!(
        statuses,
        [
            200, 403, 429, 400, 403, 200, 200, 200, 503, 200, 200, 400, 503, 400, 401, 403, 404,
            413, 421, 429, 502, 503, 504
        ]
    );
    for status in [200, 302, 405, 431, 500] {
        assert_eq!(Failure::of_status(status), None);
    }
    let misdirected = failure(&brand("t"), Failure::Misdirected, "id-1");
    assert!(misdirected.body.contains("Misdirected Request") && misdirected.body.contains("id-1"));
}

#[test]
fn error_pages_that_are_made_before_are_those_that_are_made_then() {
    for title in ["", "t"] {
        let brand = brand(title);
        let pages = FailurePages::new(&brand);
        for status in [400, 401, 403, 404, 413, 421, 429, 502, 503, 504] {
            let made = pages.of_status(status).unwrap();
            let wanted = failure(&brand, Failure::of_status(status).unwrap(), "id-1");
            assert_eq!(made.around_id.join("id-1"), wanted.body);
            assert_eq!(
                (made.content_type, made.headers),
                (wanted.content_type, wanted.headers)
            );
            assert_eq!(wanted.body.contains(" - t</title>"), !title.is_empty());
        }
        assert_eq!(pages.of_status(200), None);
    }
}

#[test]
fn a_hand_over_goes_where_it_says_and_only_to_a_web_address() {
    let address = "https://app.t.example:8443/api/auth/callback?request=a&code=b";
    let page = hand_over(&brand("t"), "app.t.example:8443", address);
    let escaped = address.replace('&', "&amp;");
    assert!(page.body.contains(&format!("content=\"0; url={escaped}\"")));
    assert!(page.body.contains(&format!("href=\"{escaped}\"")));
    for address in [
        "javascript:alert(1)",
        "data:text/html,a",
        "//a.example/",
        "/a",
        "",
        " https://a",
    ] {
        let page = hand_over(&brand("t"), "h", address);
        assert_eq!(page.status, 503, "{address}");
        assert!(!page.body.contains("refresh"), "{address}");
    }
}

#[test]
fn the_form_keeps_the_name_and_never_a_password() {
    let page = |user_name, error| {
        let page = SignInPage {
            tunnel_host: "app.t.example",
            request: "r",
            form_token: "f",
            user_name,
            error,
        };
        sign_in(&brand("t"), &page).body
    };
    let first = page(None, None);
    assert!(!first.contains("role=\"alert\"") && !first.contains("aria-invalid"));
    let again = page(Some("ana"), Some(SignInError::WrongPassword));
    assert!(again.contains("value=\"ana\"") && again.contains("role=\"alert\""));
    assert!(again.contains("<title>Error: Sign in - t</title>"));
    let (_, password) = again.split_once("id=\"password\"").unwrap();
    assert!(!password.split_once('>').unwrap().0.contains("value="));
}
