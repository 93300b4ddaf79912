// The challenge page: has a worker find the counter, shows how far it is, then goes back to the edge with it.
//
// All it needs stands in data attributes of #challenge; every word that it shows comes from the page.
"use strict";

const challenge = document.getElementById("challenge");
const progress = document.getElementById("progress");
const state = document.getElementById("state");
const again = document.getElementById("again");

const { path, request, nonce, worker: script, working, done, failed } = challenge.dataset;
const bits = Number(challenge.dataset.bits);

// Luck decides how many tries it takes, so the bar shows how likely it was to be done by now. It never runs backwards,
// and is full only at the end.
function shown(tries) {
  return 1 - Math.exp(-tries / 2 ** bits);
}

function fail() {
  challenge.hidden = true;
  state.textContent = failed;
  again.hidden = false;
  again.querySelector("a").focus();
}

// A replaced entry: Back leads to where the reader came from, not to a challenge that is used up. And a navigation, not a
// form: a form's redirects would be bound to this page's form-action, and the tunnel may redirect anywhere.
function finish(counter) {
  progress.value = 1;
  state.textContent = done;
  location.replace(path + "?" + new URLSearchParams({ request, counter }));
}

function start() {
  const worker = new Worker(script);
  worker.onmessage = (event) => {
    const { tries, counter } = event.data;
    if (counter === undefined) {
      progress.value = shown(tries);
    } else {
      worker.terminate();
      finish(counter);
    }
  };
  worker.onerror = fail;
  worker.postMessage({ nonce, bits });
}

challenge.hidden = false;
state.textContent = working;
try {
  start();
} catch {
  fail();
}
