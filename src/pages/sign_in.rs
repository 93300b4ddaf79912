//! Signing in and out. These pages need no script.

use super::html::Html;
use super::layout::{Layout, Needs};
use super::{Brand, Page, SIGN_IN_PATH, SIGN_OUT_PATH, text};

/// What the sign-in page shows and sends back.
#[derive(Clone, Copy, Debug)]
pub struct SignInPage<'a> {
    /// The host that is being entered, as browsers see it: with its port, unless that is 443 (S5.4).
    pub tunnel_host: &'a str,
    pub request: &'a str,
    pub form_token: &'a str,
    /// As it was typed, when a form comes back.
    pub user_name: Option<&'a str>,
    pub error: Option<SignInError>,
}

/// Why the form is shown again. The page never says whether it was the name or the password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignInError {
    WrongPassword,
    TooManyAttempts,
    Expired,
}

impl SignInError {
    /// Not 401: that would promise a way to authenticate by header (RFC 9110 15.5.2).
    fn status(self) -> u16 {
        match self {
            SignInError::WrongPassword => 403,
            SignInError::TooManyAttempts => 429,
            SignInError::Expired => 400,
        }
    }

    fn text(self) -> &'static str {
        match self {
            SignInError::WrongPassword => text::WRONG_PASSWORD,
            SignInError::TooManyAttempts => text::TOO_MANY_ATTEMPTS,
            SignInError::Expired => text::FORM_EXPIRED,
        }
    }
}

/// The form with user name and password.
pub fn sign_in(brand: &Brand, page: &SignInPage<'_>) -> Page {
    let prefix = page.error.map_or("", |_| text::ERROR_PREFIX);
    let mut layout = Layout::open(brand, Needs::Form, prefix, text::SIGN_IN);
    let html = &mut layout.html;
    html.markup("<p class=\"lead\">")
        .sentence(text::SIGN_IN_TO, page.tunnel_host)
        .markup("</p>\n");
    if let Some(error) = page.error {
        html.markup("<p class=\"alert\" id=\"error\" role=\"alert\">")
            .text(error.text())
            .markup("</p>\n");
    }
    open_form(html, SIGN_IN_PATH);
    hidden(html, "request", page.request);
    hidden(html, "form_token", page.form_token);
    let is_wrong = page.error == Some(SignInError::WrongPassword);
    let wrong = if is_wrong {
        " aria-invalid=\"true\" aria-describedby=\"error\""
    } else {
        ""
    };
    let (user_focus, password_focus) = match page.user_name {
        Some(_) => ("", " autofocus"),
        None => (" autofocus", ""),
    };
    html.markup("<label for=\"user\">")
        .text(text::USER_NAME)
        .markup(
            "</label>\n<input id=\"user\" name=\"user\" type=\"text\" autocomplete=\"username\" ",
        )
        .markup("autocapitalize=\"none\" spellcheck=\"false\" required")
        .markup(user_focus)
        .markup(wrong)
        .markup(" value=\"")
        .text(page.user_name.unwrap_or_default())
        .markup("\">\n<label for=\"password\">")
        .text(text::PASSWORD)
        .markup("</label>\n<input id=\"password\" name=\"password\" type=\"password\" ")
        .markup("autocomplete=\"current-password\" required")
        .markup(password_focus)
        .markup(wrong)
        .markup(">\n");
    submit(html, text::SIGN_IN);
    layout.close(page.error.map_or(200, SignInError::status))
}

/// Who is signed in, and what they may not enter.
#[derive(Clone, Copy, Debug)]
pub struct DeniedPage<'a> {
    pub tunnel_host: &'a str,
    pub user_name: Option<&'a str>,
    pub form_token: &'a str,
}

/// Signed in, but not for this project. Signing out is the way to another account.
pub fn denied(brand: &Brand, page: &DeniedPage<'_>) -> Page {
    let mut layout = Layout::open(brand, Needs::Form, "", text::DENIED);
    let html = &mut layout.html;
    html.markup("<p>")
        .sentence(text::DENIED_TO, page.tunnel_host)
        .markup("</p>\n<p class=\"lead\">");
    if let Some(name) = page.user_name {
        html.sentence(text::SIGNED_IN_AS, name).markup(" ");
    }
    html.text(text::OTHER_ACCOUNT).markup("</p>\n");
    sign_out_form(html, page.form_token);
    layout.close(403)
}

/// A button, so that no link elsewhere can sign anybody out.
pub fn sign_out(brand: &Brand, form_token: &str) -> Page {
    let mut layout = Layout::open(brand, Needs::Form, "", text::SIGN_OUT);
    layout
        .html
        .markup("<p class=\"lead\">")
        .text(text::SIGN_OUT_WHAT)
        .markup("</p>\n");
    sign_out_form(&mut layout.html, form_token);
    layout.close(200)
}

pub fn signed_out(brand: &Brand) -> Page {
    let mut layout = Layout::open(brand, Needs::Files, "", text::SIGNED_OUT);
    layout
        .html
        .markup("<p class=\"lead\" role=\"status\">")
        .text(text::SIGNED_OUT_WHAT)
        .markup("</p>\n");
    layout.close(200)
}

fn sign_out_form(html: &mut Html, form_token: &str) {
    open_form(html, SIGN_OUT_PATH);
    hidden(html, "form_token", form_token);
    submit(html, text::SIGN_OUT);
}

fn open_form(html: &mut Html, path: &'static str) {
    html.markup("<form method=\"post\" action=\"")
        .markup(path)
        .markup("\">\n");
}

fn hidden(html: &mut Html, name: &'static str, value: &str) {
    html.markup("<input type=\"hidden\" name=\"")
        .text(name)
        .markup("\" value=\"")
        .text(value)
        .markup("\">\n");
}

/// Ends a form.
fn submit(html: &mut Html, label: &'static str) {
    html.markup("<button class=\"button\" type=\"submit\">")
        .text(label)
        .markup("</button>\n</form>\n");
}
