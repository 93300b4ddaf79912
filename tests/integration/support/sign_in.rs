//! An edge where Ana may sign in, and what browsers keep there.

use adit::authn::session::{Session, Short, short};
use adit::handover::{ChallengePass, client_prefix, seal_session};
use adit::seal::{Kind, Sealer};
use adit::secret::Secret;

use super::{Edge, HOST, Setup};

const HASH: &str =
    "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
const KEY: &str = "a key of the tests that everything is sealed with";

/// With TLS, `[sign_in]` and `[challenge]`.
pub fn setup() -> Setup {
    let tables = format!(
        "[challenge]\n[sign_in]\nseal_key_file = \"seal\"\n\
         [[sign_in.user]]\nname = \"ana\"\npassword_hash = \"{HASH}\"\nprojects = [\"proj-1\"]"
    );
    Edge::setup().https().file("seal", KEY).tables(&tables)
}

/// A session of Ana's at the tunnel, from now on for an hour, and when it began in milliseconds.
pub fn session(edge: &Edge) -> (String, u64) {
    let now = edge.clock().now();
    let issued_at = u64::try_from(now.unix.as_millis()).unwrap();
    let inputs = [short(&[b"user", b"ana", HASH.as_bytes()])];
    let session = Session {
        provider: short(&[b"builtin"]),
        project: short(&[b"proj-1"]),
        sid: Short::default(),
        issued_at,
        claims_at: now.unix_seconds(),
        expires_at: now.unix_seconds() + 3600,
        subject: "ana",
        email: "",
        name: "ana",
        inputs: &inputs,
    };
    let sealed = seal_session(&session, Kind::Session, &sealer(), HOST, &[9; 32]);
    (sealed.unwrap(), issued_at)
}

/// That a challenge was met by a client on loopback, for an hour from now on.
pub fn pass(edge: &Edge) -> String {
    let expires_at = edge.clock().now().unix_seconds() + 3600;
    let prefix = client_prefix("127.0.0.1".parse().ok());
    ChallengePass::new("proj-1", prefix, expires_at).seal(&sealer(), HOST, &[9; 32])
}

fn sealer() -> Sealer {
    Sealer::new(Secret::new(KEY.as_bytes().to_vec()), None).unwrap()
}
