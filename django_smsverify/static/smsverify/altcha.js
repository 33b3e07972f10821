// The proof of work of ALTCHA, which smsverify.js loads when it is asked for one.

const unhex = (text) => Uint8Array.from(text.match(/../g), (pair) => parseInt(pair, 16));
const hex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");

/**
 * The text that the server wants for a challenge; undefined once it is not wanted any more.
 *
 * The key derived from nonce and counter must begin as the challenge says; the browser reckons beside the page.
 */
export async function solve(challenge, isWanted = () => true) {
  const { nonce, keyPrefix } = challenge.parameters;
  const derive = globalThis.crypto?.subtle ? byBrowser : byHand;
  for (let counter = 0; isWanted(); counter += 1) {
    const password = unhex(nonce + counter.toString(16).padStart(8, "0"));
    const derivedKey = hex(await derive(password, challenge.parameters));
    if (derivedKey.startsWith(keyPrefix)) return btoa(JSON.stringify({ challenge, solution: { counter, derivedKey } }));
  }
}

async function byBrowser(password, { algorithm, cost, keyLength, salt }) {
  const way = { name: "PBKDF2", hash: algorithm.split("/")[1], iterations: cost, salt: unhex(salt) };
  const key = await crypto.subtle.importKey("raw", password, way.name, false, ["deriveBits"]);
  return new Uint8Array(await crypto.subtle.deriveBits(way, key, keyLength * 8));
}

// Pages over http have no crypto.subtle. What follows is PBKDF2 with SHA-256, one block of 32 bytes.

const PAUSE_AFTER = 30;
let rested = 0;

async function byHand(password, { cost, keyLength, salt }) {
  if (performance.now() - rested > PAUSE_AFTER) {
    await new Promise((resolve) => setTimeout(resolve));
    rested = performance.now();
  }
  const inner = compress(INITIAL, padded(password, 0x36));
  const outer = compress(INITIAL, padded(password, 0x5c));
  const mac = (block) => compress(outer, closed(compress(inner, block)));
  const first = new Uint8Array(64);
  first.set([...unhex(salt), 0, 0, 0, 1, 0x80]);
  const words = wordsOf(first);
  words[15] = (64 + unhex(salt).length + 4) * 8;
  let round = mac(words);
  const sum = round.slice();
  for (let number = 1; number < cost; number += 1) {
    round = mac(closed(round));
    for (let place = 0; place < 8; place += 1) sum[place] ^= round[place];
  }
  const key = new DataView(new ArrayBuffer(32));
  sum.forEach((word, place) => key.setInt32(place * 4, word));
  return new Uint8Array(key.buffer, 0, keyLength);
}

function padded(password, filler) {
  const block = new Uint8Array(64).fill(filler);
  password.forEach((byte, place) => (block[place] ^= byte));
  return wordsOf(block);
}

function wordsOf(bytes) {
  const view = new DataView(bytes.buffer);
  return Int32Array.from({ length: 16 }, (_, place) => view.getInt32(place * 4));
}

/** The last block of a message that is a key block and a digest. */
function closed(digest) {
  const block = new Int32Array(16);
  block.set(digest);
  block[8] = 1 << 31;
  block[15] = (64 + 32) * 8;
  return block;
}

const PRIMES = [];
for (let number = 2; PRIMES.length < 64; number += 1) {
  if (PRIMES.every((prime) => number % prime)) PRIMES.push(number);
}
const fraction = (root) => (root % 1) * 2 ** 32;
const INITIAL = Int32Array.from(PRIMES.slice(0, 8), (prime) => fraction(prime ** (1 / 2)));
const CONSTANTS = Int32Array.from(PRIMES.slice(0, 64), (prime) => fraction(prime ** (1 / 3)));
const schedule = new Int32Array(64);

function compress(state, block) {
  schedule.set(block);
  for (let t = 16; t < 64; t += 1) {
    const near = schedule[t - 2];
    const far = schedule[t - 15];
    const one = ((near >>> 17) | (near << 15)) ^ ((near >>> 19) | (near << 13)) ^ (near >>> 10);
    const zero = ((far >>> 7) | (far << 25)) ^ ((far >>> 18) | (far << 14)) ^ (far >>> 3);
    schedule[t] = (one + schedule[t - 7] + zero + schedule[t - 16]) | 0;
  }
  let a = state[0];
  let b = state[1];
  let c = state[2];
  let d = state[3];
  let e = state[4];
  let f = state[5];
  let g = state[6];
  let h = state[7];
  for (let t = 0; t < 64; t += 1) {
    const one = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7));
    const zero = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10));
    const first = (h + one + ((e & f) ^ (~e & g)) + CONSTANTS[t] + schedule[t]) | 0;
    const second = (zero + ((a & b) ^ (a & c) ^ (b & c))) | 0;
    h = g;
    g = f;
    f = e;
    e = (d + first) | 0;
    d = c;
    c = b;
    b = a;
    a = (first + second) | 0;
  }
  const sums = Int32Array.of(a, b, c, d, e, f, g, h);
  for (let place = 0; place < 8; place += 1) sums[place] += state[place];
  return sums;
}
