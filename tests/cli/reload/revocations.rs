//! What is taken back is so at once, even while the configuration is broken (S10.1).

use adit::token::{MintFamily, MintRequest, mint_hs256, sha256_hex};

use crate::support::folder::serving;
use crate::support::http::{bearer, get, plain};
use crate::support::{Folder, HOST, Origin, Process, SECRET};

fn pat(subject: &str) -> String {
    let request = MintRequest {
        family: MintFamily::Pat,
        subject: Some(subject.to_owned()),
        issued_at: 1,
        ..MintRequest::default()
    };
    mint_hs256(SECRET.as_bytes(), &request).unwrap()
}

/// More connections than the kernel would ever send to one of two cores by chance; all are answered alike.
fn status(process: &Process, token: &str) -> u16 {
    let request = get(HOST, "/", &[&bearer(token)]);
    let ask = || plain(process.address("http"), &request).status();
    let first = ask();
    for _ in 0..32 {
        assert_eq!(ask(), first);
    }
    first
}

#[test]
fn a_revocation_counts_while_the_configuration_is_broken() {
    let origin = Origin::start();
    let (bot, other) = (pat("bot"), pat("other"));
    let stored = |id: &str, token: &str| {
        let hash = sha256_hex(token.as_bytes());
        format!(
            "[[credential]]\nid = \"{id}\"\nkind = \"pat\"\ntoken_sha256 = \"{hash}\"\nprojects = [\"proj-1\"]\n"
        )
    };
    let credentials = stored("bot", &bot) + &stored("other", &other);
    let good = serving(origin.address, &credentials).replace(
        "hs256_secret_file",
        "revocations_file = \"revoked\"\nhs256_secret_file",
    );
    let folder = Folder::new();
    folder.write("revoked", 0o600, "# nothing yet\n");
    folder.configure(&good);
    let mut process = Process::run(&folder);
    assert_eq!(
        (status(&process, &bot), status(&process, &other)),
        (200, 200)
    );

    folder.configure("this is no configuration");
    process.event("config_refused");
    assert_eq!(status(&process, &bot), 200, "the last good one goes on");
    folder.write("revoked", 0o600, "bot # left the company\n");
    process.event("revocations_reloaded");
    assert_eq!(
        (status(&process, &bot), status(&process, &other)),
        (401, 200)
    );
    let hash = sha256_hex(other.as_bytes());
    folder.write("revoked", 0o600, format!("bot\nsha256:{hash}\n"));
    process.event("revocations_reloaded");
    assert_eq!(
        (status(&process, &bot), status(&process, &other)),
        (401, 401)
    );
    // A list that cannot be read takes nothing back, and gives nothing back either.
    folder.write("revoked", 0o600, "sha256:1234\n");
    let refused = process.event("revocations_refused");
    let message = refused["message"].as_str().unwrap();
    assert!(
        message.ends_with("revoked:1: sha256: needs 64 hex digits"),
        "{message}"
    );
    assert_eq!(
        (status(&process, &bot), status(&process, &other)),
        (401, 401)
    );

    // With the cure both are read again.
    folder.write("revoked", 0o600, "bot\n");
    process.event("revocations_reloaded");
    folder.configure(&good);
    process.event("config_reloaded");
    assert_eq!(
        (status(&process, &bot), status(&process, &other)),
        (401, 200)
    );
}
