// JSON to and from the server; a server that does not answer is one more refusal.

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

export const post = (url, data) =>
  ask(url, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(data) });

/** Whether a refusal means that no code can verify any more, so that a new one must be asked for. */
export const isEnd = ({ code, attempts_left: left }) =>
  left === 0 || ["expired", "too_many_attempts", "already_used", "not_found"].includes(code);
