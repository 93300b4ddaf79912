//! Sessions as they are written, read and judged.

use std::collections::HashMap;

use super::*;

const HOST: &str = "app.t.example.com";
const NOW: u64 = 1_700_000_000;

fn session<'a>(inputs: &'a [Short], subject: &'a str) -> Session<'a> {
    Session {
        provider: [1; 16],
        project: short(&[b"p1"]),
        sid: [3; 16],
        issued_at: NOW * 1000 - 5,
        claims_at: NOW,
        expires_at: NOW + 60,
        subject,
        email: "ana@example.com",
        name: "Ana",
        inputs,
    }
}

fn rules() -> SessionRules {
    let grant = |project: &str, rests_on_group| Grant {
        projects: vec![project.into()],
        rests_on_group,
    };
    SessionRules {
        provider: [1; 16],
        grants: HashMap::from([
            ([10; 16], grant("p1", false)),
            ([11; 16], grant("p2", false)),
            ([12; 16], grant("p1", true)),
        ]),
        claims_max_age: 900,
    }
}

#[test]
fn what_is_written_is_read_and_nothing_else_is() {
    let inputs = [[4; 16]; INPUTS_MAX];
    let long = "s".repeat(SUBJECT_BYTES_MAX);
    let written = session(&inputs, &long).write().unwrap();
    assert_eq!(Session::read(&written), Some(session(&inputs, &long)));
    for length in 0..written.len() {
        let found = Session::read(&written[..length]);
        // Fewer inputs are a session too; that they are not fewer, the seal says.
        let whole = (written.len() - length).is_multiple_of(16) && length >= written.len() - 128;
        assert_eq!(found.is_some(), whole, "{length}");
    }
    let mut other = written.clone();
    other[0] = 2;
    assert_eq!(Session::read(&other), None);
    let longer = format!("{long}s");
    assert_eq!(session(&[], &longer).write(), Err(TooLong::Subject));
    assert_eq!(session(&[[0; 16]; 9], "a").write(), Err(TooLong::Inputs));
}

#[test]
fn the_longest_one_fits_into_a_cookie() {
    let inputs = [[4; 16]; INPUTS_MAX];
    let long = "\u{fc}".repeat(200);
    let subject = "s".repeat(SUBJECT_BYTES_MAX);
    let session = Session {
        email: &long,
        name: &long,
        ..session(&inputs, &subject)
    };
    let written = session.write().unwrap();
    assert_eq!(Session::read(&written).unwrap().name.len(), SHOWN_BYTES_MAX);
    let sealed = (written.len() + 1 + 32 + 16).div_ceil(3) * 4;
    assert!(sealed <= 1024, "{sealed}");
}

#[test]
fn a_session_counts_by_the_rules_of_now() {
    let judge = |session: &Session<'_>, ended: &Ended, now| {
        rules().judge(session, (HOST, "p1"), ended, now)
    };
    let good = session(&[[10; 16]], "ana");
    let nobody = Ended::default();
    assert_eq!(judge(&good, &nobody, NOW), Ok(()));
    assert_eq!(judge(&good, &nobody, NOW + 59), Ok(()));
    assert_eq!(judge(&good, &nobody, NOW + 60), Err(SessionError::Expired));
    let by = |change: fn(&mut Session<'_>)| {
        let mut other = good.clone();
        change(&mut other);
        judge(&other, &nobody, NOW)
    };
    assert_eq!(by(|one| one.provider = [2; 16]), Err(SessionError::Broken));
    assert_eq!(by(|one| one.project = [2; 16]), Err(SessionError::Broken));
    for (inputs, claims_at, verdict) in [
        (&[][..], NOW, Err(SessionError::Ended)),
        (&[[9; 16]], NOW, Err(SessionError::Ended)),
        (&[[11; 16]], NOW, Err(SessionError::NotAllowed)),
        (&[[11; 16], [10; 16]], NOW, Ok(())),
        (&[[12; 16]], NOW - 900, Ok(())),
        (&[[12; 16]], NOW - 901, Err(SessionError::ClaimsTooOld)),
        (&[[12; 16], [10; 16]], NOW - 901, Ok(())),
        (
            &[[12; 16], [11; 16]],
            NOW - 901,
            Err(SessionError::ClaimsTooOld),
        ),
    ] {
        let session = Session {
            claims_at,
            ..session(inputs, "ana")
        };
        assert_eq!(judge(&session, &nobody, NOW), verdict, "{inputs:?}");
    }
}

#[test]
fn signing_out_ends_what_began_before_it() {
    let good = session(&[[10; 16]], "ana");
    let user = good.user();
    let ended = |what, before| {
        let mut ended = Ended::default();
        ended.note(what, before);
        ended.note(what, 0);
        rules().judge(&good, (HOST, "p1"), &ended, NOW).is_err()
    };
    for what in [user, user_at(&user, HOST), good.sid] {
        assert!(ended(what, good.issued_at));
        assert!(!ended(what, good.issued_at - 1));
    }
    assert!(!ended(user_at(&user, "b.t.example.com"), u64::MAX));
    assert!(!ended(super::user(&good.provider, "bob"), u64::MAX));
    assert!(!ended(super::user(&[9; 16], "ana"), u64::MAX));
}
