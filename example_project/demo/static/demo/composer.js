// Where a reply is typed, at the foot of the phone; or why none can be.

import { post } from "./http.js";

export class Composer {
  constructor(form, { number, onSent }) {
    this.form = form;
    this.field = form.content;
    this.button = form.querySelector("button");
    this.closed = form.querySelector(".closed");
    this.number = number;
    this.onSent = onSent;
    this.field.addEventListener("input", () => this.#typed());
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#send();
    });
  }

  /** Shows itself once there is an SMS to answer, with a sentence in its place where no answer would arrive. */
  show(any, sentence) {
    this.form.hidden = !any;
    this.form.classList.toggle("off", sentence !== "");
    if (sentence || this.field.disabled) this.#say(sentence);
    this.field.disabled = sentence !== "";
    this.#judge();
  }

  #typed() {
    this.#say("");
    this.#judge();
  }

  async #send() {
    if (this.button.disabled) return;
    this.button.disabled = true;
    const phone = this.number();
    const answer = await post(this.form.action, { phone, content: this.field.value });
    if (answer.ok) this.field.value = "";
    else this.#say(answer.detail);
    this.#judge();
    if (answer.ok && phone === this.number()) this.onSent(answer);
  }

  #say(sentence) {
    if (this.closed.textContent !== sentence) this.closed.textContent = sentence;
  }

  #judge() {
    this.button.disabled = this.field.disabled || !this.field.value.trim();
  }
}
