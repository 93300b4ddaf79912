//! Every English word of the pages. `{host}` and `{name}` stand for a value, which is set in bold.

pub(super) const LANGUAGE: &str = "en";

pub(super) const ERROR_PREFIX: &str = "Error: ";
pub(super) const SIGN_IN: &str = "Sign in";
pub(super) const SIGN_IN_TO: &str = "to enter {host}";
pub(super) const USER_NAME: &str = "User name";
pub(super) const PASSWORD: &str = "Password";
pub(super) const WRONG_PASSWORD: &str = "The user name or the password is wrong.";
pub(super) const TOO_MANY_ATTEMPTS: &str =
    "There were too many attempts. Wait a moment, then try again.";
pub(super) const FORM_EXPIRED: &str = "This page was open for too long. Please sign in once more.";

pub(super) const HAND_OVER: &str = "One moment";
pub(super) const HAND_OVER_TO: &str = "You are being taken to {host}.";
pub(super) const CONTINUE: &str = "Continue";

pub(super) const DENIED: &str = "No access";
pub(super) const DENIED_TO: &str = "You are signed in, but your account may not enter {host}.";
pub(super) const SIGNED_IN_AS: &str = "Signed in as {name}.";
pub(super) const OTHER_ACCOUNT: &str =
    "Ask whoever runs it for access, or sign out and use another account.";
pub(super) const SIGN_OUT: &str = "Sign out";
pub(super) const SIGN_OUT_WHAT: &str =
    "This ends your session here and on every host that you entered with it.";
pub(super) const SIGNED_OUT: &str = "You are signed out";
pub(super) const SIGNED_OUT_WHAT: &str = "You can close this page.";

pub(super) const CHALLENGE: &str = "Checking your browser";
pub(super) const CHALLENGE_WHAT: &str = "This takes a moment, then {host} opens by itself.";
pub(super) const CHALLENGE_PROGRESS: &str = "Progress of the check";
pub(super) const CHALLENGE_WORKING: &str = "Checking. There is nothing you need to do.";
pub(super) const CHALLENGE_DONE: &str = "Done. The page opens now.";
pub(super) const CHALLENGE_FAILED: &str =
    "The check could not run in this browser. Try again, or use another browser.";
pub(super) const CHALLENGE_NO_SCRIPT: &str =
    "This check needs JavaScript. Switch it on for this site, then try again.";
pub(super) const TRY_AGAIN: &str = "Try again";

pub(super) const EXPIRED: &str = "This request has expired";
pub(super) const EXPIRED_WHAT: &str =
    "It was open for too long, or has been used already. Start again from the page you wanted.";
pub(super) const BACK_TO: &str = "Back to {host}";

pub(super) const UNAVAILABLE: &str = "Not available right now";
pub(super) const UNAVAILABLE_WHAT: &str =
    "This cannot be done at the moment. Please try again in a little while.";

pub(super) const BAD_REQUEST: &str = "This request does not work";
pub(super) const BAD_REQUEST_WHAT: &str =
    "Your browser sent something that cannot be passed on. Go back and try another way.";
pub(super) const UNAUTHORIZED: &str = "Proof needed";
pub(super) const UNAUTHORIZED_WHAT: &str = "This page opens only for those who prove who they are, with a token or a certificate, and yours is missing or does not count.";
pub(super) const CONTENT_TOO_LARGE: &str = "Too large";
pub(super) const CONTENT_TOO_LARGE_WHAT: &str = "What you sent is larger than this site takes.";
pub(super) const FORBIDDEN: &str = "No access";
pub(super) const FORBIDDEN_WHAT: &str = "You may not open this page.";
pub(super) const NOT_FOUND: &str = "Nothing here";
pub(super) const NOT_FOUND_WHAT: &str =
    "There is no site or page at this address. Check it for a typing error.";
pub(super) const MISDIRECTED: &str = "Wrong connection";
pub(super) const MISDIRECTED_WHAT: &str = "Your browser asked for this site over a connection to another one. Loading the page again mends it.";
pub(super) const TOO_MANY_REQUESTS: &str = "Too many requests";
pub(super) const TOO_MANY_REQUESTS_WHAT: &str = "Wait a moment, then try again.";
pub(super) const BAD_GATEWAY: &str = "The site does not answer properly";
pub(super) const BAD_GATEWAY_WHAT: &str =
    "The service behind this address could not be reached or gave no usable answer.";
pub(super) const OVERLOADED: &str = "The site cannot answer right now";
pub(super) const OVERLOADED_WHAT: &str =
    "The service behind this address is away or busy. Please try again in a little while.";
pub(super) const GATEWAY_TIMEOUT: &str = "The site takes too long";
pub(super) const GATEWAY_TIMEOUT_WHAT: &str =
    "The service behind this address did not answer in time.";
pub(super) const REFERENCE: &str = "Request";
