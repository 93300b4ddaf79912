// The worker of the challenge page: finds a counter such that SHA-256 of the text "<nonce>.<counter>" begins with enough
// zero bits.
//
// It gets { nonce, bits } once. It sends { tries } after every batch, and { tries, counter } at the end. The counter is
// decimal, without leading zeros, and starts at 0. The edge checks it with one hash.
//
// The SHA-256 (FIPS 180-4) is our own because the browser's answers through a promise: a hash of one block takes less time
// than the promise does.
"use strict";

// Tries between two reports: some twenty a second.
const BATCH = 50_000;

// The text, its end mark and its length share one block of 64 bytes; nine bytes go to mark and length.
const TEXT_BYTES_MAX = 64 - 9;

// FIPS 180-4 4.2.2.
const ROUNDS = new Int32Array([
  0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
  0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
  0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
  0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
  0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
  0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
  0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
  0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
]);

// FIPS 180-4 5.3.3.
const START = new Int32Array([
  0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
]);

const schedule = new Int32Array(64);

// The first 32 bits of the hash of the block in schedule[0] to schedule[15]. The other 224 bits are never needed: no
// difficulty asks for more than 32 zero bits.
function firstWord() {
  const w = schedule;
  for (let i = 16; i < 64; i++) {
    const x = w[i - 15];
    const y = w[i - 2];
    const s0 = ((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3);
    const s1 = ((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10);
    w[i] = w[i - 16] + s0 + w[i - 7] + s1;
  }
  let a = START[0], b = START[1], c = START[2], d = START[3];
  let e = START[4], f = START[5], g = START[6], h = START[7];
  for (let i = 0; i < 64; i++) {
    const s1 = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7));
    const t1 = (h + s1 + ((e & f) ^ (~e & g)) + ROUNDS[i] + w[i]) | 0;
    const s0 = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10));
    const t2 = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
    h = g;
    g = f;
    f = e;
    e = (d + t1) | 0;
    d = c;
    c = b;
    b = a;
    a = (t1 + t2) | 0;
  }
  return (START[0] + a) | 0;
}

// Writes the text into schedule[0] to schedule[15]: big-endian words, the bit 1 behind the text, its length in bits last.
function writeBlock(text) {
  if (text.length > TEXT_BYTES_MAX) {
    throw new RangeError("the text does not fit into one block");
  }
  schedule.fill(0, 0, 16);
  for (let at = 0; at < text.length; at++) {
    schedule[at >> 2] |= text.charCodeAt(at) << (24 - 8 * (at & 3));
  }
  schedule[text.length >> 2] |= 0x80 << (24 - 8 * (text.length & 3));
  schedule[15] = text.length * 8;
}

function find(nonce, bits, report) {
  // Ten counters in a row differ in their last digit only: the block is written once, then that digit is raised in place.
  for (let tens = 0; ; tens += 10) {
    const text = nonce + "." + tens;
    writeBlock(text);
    const last = text.length - 1;
    for (let digit = 0; digit < 10; digit++) {
      if (firstWord() >>> (32 - bits) === 0) {
        return tens + digit;
      }
      schedule[last >> 2] += 1 << (24 - 8 * (last & 3));
    }
    if (tens % BATCH === 0) {
      report(tens);
    }
  }
}

self.onmessage = (event) => {
  const { nonce, bits } = event.data;
  const counter = find(nonce, bits, (tries) => self.postMessage({ tries }));
  self.postMessage({ tries: counter + 1, counter });
};
