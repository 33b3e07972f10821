// The parts of the page, and who tells whom.

import { keepDevice } from "./browser.js";
import { post } from "./http.js";
import { Phone } from "./phone.js";
import { Sending } from "./sending.js";
import { Verifying } from "./verifying.js";
import { Wire } from "./wire.js";
import { say } from "./words.js";

const EVERY = 1000;
const part = (id) => document.getElementById(id);

const wire = new Wire(part("wire"));
const phone = new Phone(part("phone"), { onTap: (code) => verifying.fill(code) });
const verifying = new Verifying(part("verify"), { onVerified: showVerified, onEnded: () => sending.end() });
const sending = new Sending(part("send"), {
  onSent: (answer) => {
    verifying.ask(answer);
    look();
  },
  onChanged: startOver,
});

function startOver() {
  verifying.ask(null);
  part("verified").hidden = true;
  part("verify").hidden = false;
}

function showVerified(answer) {
  keepDevice(sending.number, answer.device);
  const result = part("verified");
  const put = (selector, text) => (result.querySelector(selector).textContent = text);
  sending.end();
  phone.done();
  part("verify").hidden = true;
  result.hidden = false;
  put("strong", say("verified", { phone: answer.phone }));
  put(".purpose", answer.purpose);
  put(".proof", `${answer.proof.slice(0, 10)}…${answer.proof.slice(-8)}`);
  put(".life", say("proofLife", { minutes: Math.round(answer.proof_expires_in / 60) }));
  result.querySelector("button").focus();
}

part("verified").querySelector("button").addEventListener("click", () => {
  startOver();
  part("number").focus();
});

part("trouble").addEventListener("change", ({ target, currentTarget }) => {
  post(currentTarget.dataset.url, { vendor: target.name, mood: target.value });
});

const look = () => Promise.all([phone.look(sending.number), wire.look()]);

async function keepLooking() {
  if (document.visibilityState === "visible") await look();
  setTimeout(keepLooking, EVERY);
}

document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && look());
keepLooking();
