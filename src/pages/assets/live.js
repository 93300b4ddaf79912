// The live page: asks for /status once a second, keeps two minutes of it, and shows what happened in between.
//
// The token, where one is needed, is kept in this variable and sent in a field. It is never stored and never in an address.
"use strict";

const INTERVAL = 1000;
// Samples kept, and those that the rates and latencies of "now" are taken over.
const KEPT = 120;
const RATE_OVER = 3;
const LATENCY_OVER = 10;
const REASONS_SHOWN = 8;
const REFUSALS_SHOWN = 25;
// From this load on a core is shown in another colour.
const BUSY = 0.9;

const at = (id) => document.getElementById(id);
const unlock = at("unlock");
const samples = [];
let token = "";
let paused = false;
let heard = 0;

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const fine = new Intl.NumberFormat("en", { maximumSignificantDigits: 3 });
const count = (value) => (value < 1000 && !Number.isInteger(value) ? fine : whole).format(value);
const rate = (value) => `${count(value)}/s`;
const UNITS = [[1e9, "GB"], [1e6, "MB"], [1e3, "kB"]];
function size(bytes) {
  const [unit, name] = UNITS.find(([unit]) => bytes >= unit) ?? [1, "B"];
  return `${fine.format(bytes / unit)} ${name}`;
}
const percent = (share) => (Number.isFinite(share) ? `${fine.format(Math.round(share * 1000) / 10)} %` : "none yet");
const clock = (ms) => new Date(ms).toLocaleTimeString("en-GB");

function time(us) {
  if (us === undefined) return "–";
  return us < 1000 ? `${whole.format(us)} µs` : us < 1e6 ? `${fine.format(us / 1e3)} ms` : `${fine.format(us / 1e6)} s`;
}

function span(ms) {
  const minutes = Math.floor(ms / 60000);
  const [days, hours] = [Math.floor(minutes / 1440), Math.floor(minutes / 60) % 24];
  if (days > 0) return `${days} d ${hours} h`;
  return hours > 0 ? `${hours} h ${minutes % 60} min` : minutes > 0 ? `${minutes} min` : `${Math.floor(ms / 1000)} s`;
}

// The newest sample, and the one `back` before it, or the oldest.
const newest = () => samples[samples.length - 1];
const before = (back) => samples[Math.max(0, samples.length - 1 - back)];

// How much per second something grew between two samples; `of` reads it from one.
function growth(of, from, to) {
  const seconds = (to.uptime_ms - from.uptime_ms) / 1000;
  return seconds > 0 ? Math.max(0, (of(to) ?? 0) - (of(from) ?? 0)) / seconds : 0;
}
const now = (of) => growth(of, before(RATE_OVER), newest());
const history = (of) => samples.slice(1).map((sample, index) => growth(of, samples[index], sample));

// As the edge itself takes a quantile: even within a bucket.
function quantile(share, from, to) {
  const { bounds_us: bounds } = to;
  const counts = to.added_latency.counts.map((value, index) => value - (from?.added_latency.counts[index] ?? 0));
  const total = counts.reduce((sum, value) => sum + value, 0);
  if (total <= 0) return undefined;
  const rank = Math.max(1, Math.ceil(total * share));
  let seen = 0;
  for (const [index, bound] of bounds.entries()) {
    const lower = index > 0 ? bounds[index - 1] : 0;
    if (counts[index] > 0 && seen + counts[index] >= rank) {
      return lower + ((bound - lower) * (rank - seen)) / counts[index];
    }
    seen += counts[index];
  }
  return bounds[bounds.length - 1];
}

const total = (status) => Object.values(status.requests).reduce((sum, value) => sum + value, 0);

const charts = {};
function tile(id, figure, note, values, label) {
  put(at(id), figure);
  put(at(`${id}-note`), note);
  charts[id] ??= sparkline(KEPT);
  if (!charts[id].svg.isConnected) at(id).parentElement.append(charts[id].svg);
  charts[id].put(values, label);
}

function tiles(status) {
  const refused = (one) => one.requests.refused;
  const [requests, refusals] = [now(total), now(refused)];
  tile("requests", rate(requests), `${count(total(status))} since the start`, history(total), `Requests per second, now ${count(requests)}`);
  const part = requests > 0 ? `${percent(refusals / requests)} of all now` : `${count(refused(status))} since the start`;
  tile("refused", rate(refusals), part, history(refused), `Refusals per second, now ${count(refusals)}`);
  const from = before(LATENCY_OVER);
  const [p50, p99] = [0.5, 0.99].map((share) => quantile(share, from === status ? undefined : from, status));
  const each = samples.slice(1).map((sample, index) => quantile(0.99, samples[index], sample) ?? 0);
  const since = `median; 99 % within ${time(p99)}`;
  tile("added", time(p50), p50 === undefined ? "nothing was forwarded just now" : since, each, `The added latency that 99 % stay within, now ${time(p99)}`);
  const open = (one) => one.connections.open;
  tile("connections", count(open(status)), `${rate(now((one) => one.connections.total))} new`, samples.map(open), `Open connections, now ${open(status)}`);
}

const GOOD = ["forwarded", "answered", "redirected"];

// Rows of names with counts.
function shares(of, names) {
  const all = names.reduce((sum, name) => sum + (of(newest())[name] ?? 0), 0);
  return names.map((name) => {
    const since = of(newest())[name] ?? 0;
    const shown = bar(since / all, `Share of ${name}`, GOOD.includes(name));
    return [name, shown, rate(now((one) => of(one)[name])), count(since)];
  });
}

function tables(status) {
  fill("verdicts", shares((one) => one.requests, ["forwarded", "refused", "answered", "redirected"]));
  const reasons = Object.entries(status.refusals).sort((one, other) => other[1] - one[1]);
  fill("reasons", shares((one) => one.refusals, reasons.slice(0, REASONS_SHOWN).map(([name]) => name)));
  at("no-reasons").hidden = reasons.length > 0;
  fill("cores", status.cores.map((core) => {
    const same = (one) => one.cores.find((other) => other.core === core.core);
    const load = now((one) => same(one)?.cpu_ms) / 1000;
    const shown = bar(load, `Load of core ${core.core}`, load < BUSY);
    return [String(core.core), shown, percent(load), rate(now((one) => same(one)?.requests)), count(core.connections)];
  }));
  const hit = (good, bad) => percent(good / (good + bad));
  const { tls, upstream, token_cache: cache, connections, body_bytes: bytes } = status;
  fill("inside", [
    ["Upstreams: reused", hit(upstream.reused, upstream.connects), `${count(upstream.reused)} of ${count(upstream.reused + upstream.connects)}`],
    ["Upstreams: idle now", count(upstream.idle), `${count(upstream.connect_failures)} failed`],
    ["TLS handshakes resumed", hit(tls.resumed, tls.full), `${count(tls.full + tls.resumed)}, ${count(tls.failed)} failed`],
    ["Tokens found verified", hit(cache.hits, cache.misses), `${count(cache.hits)} of ${count(cache.hits + cache.misses)}`],
    ["Bodies out", `${size(now((one) => one.body_bytes.out))}/s`, size(bytes.out)],
    ["Bodies in", `${size(now((one) => one.body_bytes.in))}/s`, size(bytes.in)],
    ["Connections turned away", rate(now((one) => one.connections.shed)), count(connections.shed)],
  ]);
  fill("refusals", status.recent_refusals.slice(0, REFUSALS_SHOWN).map((one) => [
    clock(one.unix_ms),
    String(one.status),
    one.detail ? `${one.reason}: ${one.detail}` : one.reason,
    `${one.method} ${one.host}${one.path}`,
    one.credential ? `${one.client} (${one.credential})` : one.client,
    one.request_id,
  ]));
  at("no-refusals").hidden = status.recent_refusals.length > 0;
  fill("tunnels", status.tunnels.map((one) => [one.hostname, words(one.guards), one.project, count(one.servers)]));
  const more = status.tunnels_total - status.tunnels.length;
  at("more-tunnels").hidden = more === 0;
  put(at("more-tunnels"), `and ${count(more)} more`);
}

function warnings(status) {
  const all = [
    [status.draining, "It drains: no new connections."],
    [status.config.stale, "The last reload was refused. An older configuration is in force; the process log says why."],
    [status.upstream.resting > 0, "Some servers cannot be reached and rest."],
    [status.log_lines_dropped > 0, `${count(status.log_lines_dropped)} lines of the access log found no room.`],
    [status.panics > 0, `${count(status.panics)} connections ended by a fault of adit. Please report it.`],
  ];
  const shown = all.filter(([holds]) => holds).map(([, text]) => text);
  const list = at("warnings");
  list.hidden = shown.length === 0;
  if (list.dataset.shown === shown.join("\n")) return;
  list.dataset.shown = shown.join("\n");
  list.replaceChildren(...shown.map((text) => Object.assign(document.createElement("li"), { textContent: text })));
}

function show(status) {
  // Counters that went back are those of another process.
  if (samples.length > 0 && newest().uptime_ms > status.uptime_ms) samples.length = 0;
  samples.push(status);
  if (samples.length > KEPT) samples.shift();
  document.title = `${status.node} - adit`;
  put(at("node"), status.node);
  const drivers = [...new Set(status.cores.map((core) => core.driver))].join(" and ");
  put(at("about"), `adit ${status.version} on ${drivers}, up ${span(status.uptime_ms)}`);
  tiles(status);
  tables(status);
  warnings(status);
}

function say(text, isGood) {
  put(at("state"), text);
  at("state").classList.toggle("good", isGood);
}

// The status; null where the token is not, or no longer, right.
async function ask() {
  const headers = token ? { Authorization: `Bearer ${token}` } : {};
  const signal = AbortSignal.timeout(5000);
  const answer = await fetch("/status", { headers, signal, cache: "no-store", credentials: "omit", redirect: "error" });
  if (answer.status === 401) return null;
  if (!answer.ok) throw new Error(String(answer.status));
  return answer.json();
}

function open(isOpen) {
  at("live").hidden = !isOpen;
  if (unlock) unlock.hidden = isOpen;
}

async function tick() {
  if (!paused && !document.hidden) {
    try {
      const status = await ask();
      if (status === null) return close();
      heard = Date.now();
      show(status);
      say("Live", true);
    } catch {
      say(heard ? `No answer since ${clock(heard)}` : "No answer", false);
    }
  }
  setTimeout(tick, INTERVAL);
}

// The process has another token now, or wants one at last.
function close() {
  token = "";
  if (!unlock) return location.reload();
  open(false);
  at("token").focus();
}

function wrong() {
  at("unlock-error").hidden = false;
  at("token").setAttribute("aria-invalid", "true");
  at("token").setAttribute("aria-describedby", "unlock-error");
  at("token").select();
}

async function enter(event) {
  event.preventDefault();
  token = at("token").value.trim();
  // No other characters are in a token, and a field could not hold them.
  const status = /^[\w.~+/=-]+$/.test(token) ? await ask().catch(() => null) : null;
  if (status === null) {
    token = "";
    return wrong();
  }
  at("token").value = "";
  at("unlock-error").hidden = true;
  at("token").removeAttribute("aria-invalid");
  open(true);
  at("node").focus();
  tick();
}

at("pause").addEventListener("click", () => {
  paused = !paused;
  at("pause").setAttribute("aria-pressed", String(paused));
  if (paused) say("Paused", false);
});
if (unlock) {
  unlock.addEventListener("submit", enter);
} else {
  open(true);
  tick();
}
