// The first form: a number, a way, a button that says how long to wait before it sends again.

import { deviceOf } from "./browser.js";
import { countdown } from "./countdown.js";
import { isEnd, post } from "./http.js";
import { Note } from "./note.js";
import { say } from "./words.js";

export class Sending {
  #verification = null;
  #turn = 0;
  #stop = () => {};

  constructor(form, { onSent, onChanged }) {
    this.form = form;
    this.button = form.querySelector("button");
    this.note = new Note(form.querySelector(".note"));
    this.onSent = onSent;
    this.onChanged = onChanged;
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#send();
    });
    form.phone.addEventListener("input", () => {
      this.end();
      this.#ready();
    });
    form.addEventListener("change", ({ target }) => target.name === "purpose" && this.end());
  }

  get number() {
    return this.form.phone.value.trim();
  }

  /** The next SMS asks a new question. */
  end() {
    this.#verification = null;
    this.#turn += 1;
    this.note.clear();
    this.onChanged();
    if (!this.button.disabled) this.#ready();
  }

  async #send() {
    if (this.button.disabled) return;
    this.#label(say("sending"), true);
    const turn = this.#turn;
    const again = this.#verification && { verification_id: this.#verification };
    const asked = again ?? { phone: this.number, purpose: this.form.purpose.value };
    const answer = await post(this.form.action, { ...asked, device: deviceOf(this.number) });
    if (turn !== this.#turn) this.#ready();
    else if (answer.ok) this.#sent(answer);
    else this.#refused(answer);
  }

  #sent(answer) {
    this.#verification = answer.verification_id;
    const word = answer.sent === false ? "notSent" : "sent";
    this.note.show(say(word, { phone: answer.phone, minutes: Math.round(answer.expires_in / 60) }));
    this.#wait(answer.resend_in);
    this.onSent(answer);
  }

  #refused(answer) {
    if (isEnd(answer)) this.end();
    this.note.refuse(answer);
    this.#wait(answer.retry_after ?? 0);
  }

  #wait(seconds) {
    this.#stop();
    this.#stop = countdown(seconds, (left) => (left ? this.#label(say("againIn", { seconds: left }), true) : this.#ready()));
  }

  #ready() {
    this.#stop();
    this.#label(say(this.#verification ? "again" : "send"), false);
  }

  #label(text, disabled) {
    this.button.textContent = text;
    this.button.disabled = disabled;
  }
}
