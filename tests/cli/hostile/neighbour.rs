//! A hostile tunnel beside the one where somebody is signed in, in the same browser: to a browser the two are one site.

use serde_json::{Value, json};

use super::{evil, gets, signs_in, told};
use crate::entering::{TEXT, builtin, folder_of, hosts, nothing_leaked};
use crate::pages::tab::{Tab, open_with_hosts};
use crate::support::{BASE_HOST, Folder, HOST, Origin, Process};

const EVIL: &str = "https://evil.t.edge.example/";
const EVIL_HOST: &str = "evil.t.edge.example";

/// The process, and the folder that it needs.
fn started(origin: &Origin) -> (Folder, Process) {
    let tunnels = [
        (HOST, origin.address, "rstream_auth = true"),
        (EVIL_HOST, evil::start(), "public = true"),
    ];
    let folder = folder_of(&tunnels, &builtin());
    let process = Process::run(&folder);
    (folder, process)
}

/// A script that opens a WebSocket and says what came of it.
fn socket(url: &str) -> String {
    format!(
        "return await new Promise(told => {{ const socket = new WebSocket('{url}');
            socket.onopen = () => told('open'); socket.onerror = () => told('refused'); }})"
    )
}

/// A script that sends a form.
fn form(url: &str) -> String {
    format!(
        "const form = document.createElement('form'); form.method = 'POST'; form.action = '{url}';
         document.body.append(form); form.submit(); return 0"
    )
}

/// A script of another host's page that has the browser send this, with its cookies.
fn fetched(method: &str, path: &str) -> String {
    format!(
        "return (await fetch('https://{HOST}{path}', {{ method: '{method}', mode: 'no-cors', credentials: 'include' }})).type"
    )
}

/// S5.1.
#[test]
fn pages_next_door_change_nothing_and_the_tunnel_s_own_do() {
    let origin = Origin::start();
    let (_folder, mut process) = started(&origin);
    let rules = hosts(&process, &[BASE_HOST, HOST, EVIL_HOST]);
    let page = format!("https://{HOST}/inside");
    open_with_hosts(&rules, async |tab: Tab| {
        tab.goto(&page).await;
        signs_in(&tab).await;
        tab.wait_for(TEXT).await;
        tab.goto(EVIL).await;
        // The cookie goes along: what changes nothing gets there.
        assert_eq!(tab.run_async(&fetched("GET", "/evil-get")).await, "opaque");
        for (method, path) in [
            ("POST", "/evil-fetch"),
            ("POST", "/.well-known/rstream/logout"),
        ] {
            // What comes of it, the page is not told, nor is this test.
            tab.run_async(&fetched(method, path)).await;
        }
        let asked = format!(
            "return await fetch('https://{HOST}/evil-put', {{ method: 'PUT', credentials: 'include' }}).then(() => 'sent', () => 'refused')"
        );
        assert_eq!(tab.run_async(&asked).await, "refused");
        let evil_socket = socket(&format!("wss://{HOST}/evil-socket"));
        assert_eq!(tab.run_async(&evil_socket).await, "refused");
        let evil_form = format!("https://{HOST}/evil-form");
        tab.run(&form(&evil_form)).await;
        tab.wait_for_url(&evil_form).await;
        assert!(!tab.visible_text().await.contains("origin:"));
        // Still signed in, and a page of its own may do all that.
        tab.goto(&page).await;
        assert_eq!(told(&tab).await["user"]["userId"], "ana");
        let own =
            "return await (await fetch('/own-fetch', { method: 'POST', body: 'sent' })).text()";
        assert_eq!(tab.run_async(own).await, "origin: /own-fetch");
        // The service speaks no WebSocket; that it was asked is all.
        let own_socket = socket(&format!("wss://{HOST}/own-socket"));
        assert_eq!(tab.run_async(&own_socket).await, "refused");
        tab.run(&form("/own-form")).await;
        tab.wait_for_url(&format!("https://{HOST}/own-form")).await;
        assert_eq!(tab.visible_text().await, "origin: /own-form");
        tab.close().await;
    });
    for path in ["/evil-fetch", "/evil-socket", "/evil-form"] {
        let line = process.record(path);
        assert_eq!(line["reason"], "cross_origin", "{line}");
        assert_eq!(line["status"], 403, "{line}");
        assert_eq!(line["credential"], "ana", "{line}");
    }
    let preflight = process.record("/evil-put");
    assert_eq!(preflight["method"], "OPTIONS", "{preflight}");
    assert_eq!(preflight["status"], 401, "{preflight}");
    let logout = process.record("/.well-known/rstream/logout");
    assert_eq!(logout["status"], 403, "{logout}");
    for (start, count) in [
        ("GET /evil-get ", 1),
        ("POST /evil", 0),
        ("PUT ", 0),
        ("OPTIONS ", 0),
        ("GET /evil-socket", 0),
        ("POST /own-fetch ", 1),
        ("GET /own-socket ", 1),
        ("POST /own-form ", 1),
    ] {
        assert_eq!(gets(&origin, start), count, "{start}");
    }
    nothing_leaked(&origin);
}

/// Has the service worker of this page send something, with the browser's cookies, and says what came of it.
fn by_worker(method: &str, url: &str) -> String {
    format!(
        "const told = new MessageChannel(), worker = (await navigator.serviceWorker.ready).active;
         worker.postMessage({{ method: '{method}', url: '{url}' }}, [told.port2]);
         return await new Promise(done => told.port1.onmessage = event => done(event.data))"
    )
}

/// S5.1, S5.3: a service worker is one more page next door, and what it keeps of its own sign-in opens nothing else.
#[test]
fn a_service_worker_next_door_has_no_more_power_than_its_page() {
    let origin = Origin::start();
    let tunnels = [
        (HOST, origin.address, "rstream_auth = true"),
        (EVIL_HOST, evil::start(), "rstream_auth = true"),
    ];
    let folder = folder_of(&tunnels, &builtin());
    let mut process = Process::run(&folder);
    let rules = hosts(&process, &[BASE_HOST, HOST, EVIL_HOST]);
    let page = format!("https://{HOST}/inside");
    let register = |script: &str| {
        format!(
            "return await navigator.serviceWorker.register('{script}')
                .then(() => navigator.serviceWorker.ready).then(() => 'registered', refused => refused.name)"
        )
    };
    open_with_hosts(&rules, async |tab: Tab| {
        tab.goto(&page).await;
        signs_in(&tab).await;
        tab.wait_for(TEXT).await;
        // She is signed in: the neighbour is entered at once, and learns only its own name for her.
        tab.goto(EVIL).await;
        let theirs = format!("https://{HOST}{}", evil::WORKER);
        assert_eq!(tab.run_async(&register(&theirs)).await, "SecurityError");
        assert_eq!(tab.run_async(&register(evil::WORKER)).await, "registered");
        for (method, path) in [("GET", "/worker-get"), ("POST", "/worker-post")] {
            let sent = by_worker(method, &format!("https://{HOST}{path}"));
            assert_eq!(tab.run_async(&sent).await, "opaque", "{method}");
        }
        // It keeps back the code of the next time that she signs in there.
        let out = "return (await fetch('/.well-known/rstream/logout', { method: 'POST' })).status";
        for place in [&*page, EVIL] {
            tab.goto(place).await;
            assert_eq!(tab.run_async(out).await, json!(204), "{place}");
        }
        tab.goto(EVIL).await;
        signs_in(&tab).await;
        tab.wait_for(TEXT).await;
        let kept = tab.text(TEXT).await;
        let kept = kept.strip_prefix(EVIL).unwrap();
        assert!(kept.starts_with("api/auth/callback?code="), "{kept}");
        for host in [HOST, BASE_HOST] {
            tab.goto(&format!("https://{host}/{kept}")).await;
            assert!(!tab.visible_text().await.contains("origin:"));
            assert_eq!(told(&tab).await["auth"]["authenticated"], false, "{host}");
        }
        tab.close().await;
    });
    let post = process.record("/worker-post");
    assert_eq!(post["reason"], "cross_origin", "{post}");
    assert_eq!(post["status"], 403, "{post}");
    process.signal("TERM");
    let out = process.finish().out;
    let records = out
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let refused: Vec<Value> = records
        .filter(|line| line["path"] == "/api/auth/callback" && line["status"] == 400)
        .collect();
    assert_eq!(refused.len(), 1, "{refused:?}");
    assert_eq!(refused[0]["host"], HOST);
    for (start, count) in [
        ("GET /inside ", 2),
        ("GET /worker-get ", 1),
        ("GET /worker.js ", 0),
        ("POST ", 0),
    ] {
        assert_eq!(gets(&origin, start), count, "{start}");
    }
    nothing_leaked(&origin);
}

/// S5.4: nor at the base host, where she is signed in too.
#[test]
fn forms_next_door_change_nothing_at_the_base_host() {
    let origin = Origin::start();
    let (_folder, mut process) = started(&origin);
    let rules = hosts(&process, &[BASE_HOST, HOST, EVIL_HOST]);
    let (page, second) = (
        format!("https://{HOST}/inside"),
        format!("https://{HOST}/second"),
    );
    let logout = format!("https://{BASE_HOST}/rstream/logout");
    open_with_hosts(&rules, async |tab: Tab| {
        tab.goto(&page).await;
        let link = tab.url().await;
        signs_in(&tab).await;
        tab.wait_for(TEXT).await;
        for place in [&*logout, link.as_str()] {
            tab.goto(EVIL).await;
            tab.run(&form(place)).await;
            tab.wait_for_url(place).await;
        }
        // No page of ours is shown in one of hers.
        tab.goto(EVIL).await;
        let framed = format!(
            "const frame = document.createElement('iframe'); frame.src = '{logout}';
             const loaded = new Promise(loaded => frame.onload = loaded);
             document.body.append(frame); await loaded; return frame.contentDocument === null"
        );
        assert_eq!(tab.run_async(&framed).await, true);
        let complaints = tab.complaints().await.concat();
        assert!(complaints.contains("frame-ancestors"), "{complaints}");
        tab.goto(&second).await;
        assert_eq!(tab.visible_text().await, "origin: /second");
        // Its own form signs out.
        tab.goto(&logout).await;
        tab.run("document.querySelector('form button').click(); return 0")
            .await;
        tab.wait_for("body:not(:has(form))").await;
        tab.goto(&page).await;
        assert_eq!(tab.url().await.host_str(), Some(BASE_HOST));
        tab.close().await;
    });
    let line = process.record("/rstream/logout");
    assert_eq!(
        (&line["method"], &line["status"]),
        (&json!("POST"), &json!(403))
    );
    assert_eq!(gets(&origin, "GET /inside "), 1);
    assert_eq!(gets(&origin, "GET /second "), 1);
    nothing_leaked(&origin);
}

/// S5.2: what a page can leave at its neighbours is no session, and takes none away.
#[test]
fn cookies_tossed_from_next_door_neither_sign_in_nor_lock_out() {
    let origin = Origin::start();
    let (_folder, process) = started(&origin);
    let rules = hosts(&process, &[BASE_HOST, HOST, EVIL_HOST]);
    let page = format!("https://{HOST}/inside");
    let toss = "for (const domain of ['t.edge.example', 'edge.example'])
        for (const pair of ['__Host-rstream_auth=tossed', '__HOST-RSTREAM_AUTH=tossed', '__host-rstream_state=tossed',
            '=__Host-rstream_auth=tossed', '__Host-rstream_form=tossed', 'rstream_auth=tossed', 'RSTREAM_AUTH=tossed',
            '=rstream_auth=tossed', 'rstream_auth', 'by_script=tossed'])
            document.cookie = pair + '; Domain=' + domain + '; Path=/; Secure';
        return document.cookie";
    open_with_hosts(&rules, async |tab: Tab| {
        tab.goto(EVIL).await;
        let held = tab.run(toss).await;
        let held = held.as_str().unwrap();
        assert!(held.contains("by_script=tossed"), "{held}");
        // Of its answers' cookies it has its own, and no name of ours.
        assert!(held.contains("by_answer_own=1"), "{held}");
        tab.goto(&page).await;
        assert_eq!(tab.url().await.host_str(), Some(BASE_HOST));
        assert_eq!(gets(&origin, "GET "), 0);
        signs_in(&tab).await;
        tab.wait_for(TEXT).await;
        assert_eq!(tab.visible_text().await, "origin: /inside");
        tab.goto(EVIL).await;
        tab.run(toss).await;
        tab.goto(&page).await;
        assert_eq!(tab.visible_text().await, "origin: /inside");
        assert_eq!(told(&tab).await["user"]["userId"], "ana");
        // Signing out and in again works beside them too.
        let out = "return (await fetch('/.well-known/rstream/logout', { method: 'POST' })).status";
        assert_eq!(tab.run_async(out).await, json!(204));
        tab.goto(&page).await;
        assert_eq!(tab.url().await.host_str(), Some(BASE_HOST));
        signs_in(&tab).await;
        tab.wait_for(TEXT).await;
        assert_eq!(tab.visible_text().await, "origin: /inside");
        tab.close().await;
    });
    assert_eq!(gets(&origin, "GET /inside "), 3);
    for head in origin
        .heads()
        .iter()
        .filter(|head| head.contains("/inside"))
    {
        assert!(head.contains("by_script=tossed"), "{head}");
        // A domain that an upstream asks for is not given to it.
        assert!(!head.contains("by_answer"), "{head}");
    }
    for head in origin.heads() {
        let lower = head.to_ascii_lowercase();
        assert!(!lower.contains("rstream_"), "{head}");
    }
    nothing_leaked(&origin);
}
