// The second form: six cells over one input, judged as soon as they are full.

import { isEnd, post } from "./http.js";
import { Note } from "./note.js";
import { say } from "./words.js";

export class Verifying {
  #verification = null;
  #busy = false;

  constructor(form, { onVerified, onEnded }) {
    this.form = form;
    this.input = form.code;
    this.cells = form.querySelector(".cells");
    this.digits = form.querySelector(".digits");
    this.button = form.querySelector("button");
    this.note = new Note(form.querySelector(".note"));
    this.onVerified = onVerified;
    this.onEnded = onEnded;
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#verify();
    });
    this.input.addEventListener("input", () => this.#typed());
    this.cells.addEventListener("animationend", () => this.cells.classList.remove("wrong"));
    this.#draw();
  }

  /** Asks for the code of a verification, or of none. */
  ask(answer) {
    this.#verification = answer?.verification_id ?? null;
    this.input.disabled = this.button.disabled = !this.#verification;
    this.input.maxLength = answer?.code_length ?? 6;
    this.input.value = "";
    this.note.clear();
    this.#draw();
    if (answer) this.input.focus();
  }

  fill(code) {
    if (this.input.disabled) return;
    this.input.value = code;
    this.input.focus();
    this.#typed();
  }

  #typed() {
    this.input.value = this.input.value.normalize("NFKC").replace(/\D/g, "");
    this.#draw();
    if (this.input.value.length === this.input.maxLength) this.#verify();
  }

  #draw() {
    const { value, maxLength } = this.input;
    this.digits.replaceChildren(
      ...Array.from({ length: maxLength }, (_, place) => {
        const cell = document.createElement("span");
        cell.textContent = value[place] ?? "";
        cell.classList.toggle("next", place === Math.min(value.length, maxLength - 1));
        return cell;
      }),
    );
  }

  async #verify() {
    if (this.#busy || !this.#verification) return;
    this.#busy = true;
    const answer = await post(this.form.action, { verification_id: this.#verification, code: this.input.value });
    this.#busy = false;
    if (answer.ok) this.onVerified(answer);
    else this.#refused(answer);
  }

  #refused(answer) {
    if (isEnd(answer)) {
      this.ask(null);
      this.onEnded();
    }
    this.note.refuse(answer);
    this.cells.classList.add("wrong");
    this.input.value = "";
    this.#draw();
  }
}
