// JSON to and from the server; a server that does not answer is one more refusal.
// A POST carries a key of its own: when its answer is lost, it is repeated, and does nothing twice.

import { say } from "./words.js";

async function ask(url, options) {
  try {
    const answer = await fetch(url, options);
    return { ok: answer.ok, ...(await answer.json()) };
  } catch {
    return { ok: false, offline: true, detail: say("offline") };
  }
}

export const get = (url) => ask(url);

const TRIES = 3;

const newKey = () => Array.from(crypto.getRandomValues(new Uint32Array(4)), (part) => part.toString(16).padStart(8, "0")).join("");

export async function post(url, data) {
  const headers = { "Content-Type": "application/json", "Idempotency-Key": newKey() };
  for (let attempt = 1; ; attempt += 1) {
    const answer = await ask(url, { method: "POST", headers, body: JSON.stringify(data) });
    if (!(answer.offline || answer.code === "in_progress") || attempt === TRIES) return answer;
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
}
