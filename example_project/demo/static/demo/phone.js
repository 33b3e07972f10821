// The visitor's phone: SMS arrive at the bottom, and their code is one tap away.

import { get } from "./http.js";
import { hour, say } from "./words.js";

const NUMBER = /^(\+?86)?1\d{10}$/;
const CODE = /\d{4,8}/;
const FRESH = 10;

export class Phone {
  #shown = new Set();
  #of = "";

  constructor(element, { onTap }) {
    this.element = element;
    this.chat = element.querySelector(".chat");
    this.suggestion = element.querySelector(".suggestion");
    this.clock = element.querySelector(".top time");
    this.onTap = onTap;
  }

  /** Fetches what has arrived on the phone with this number. */
  async look(number) {
    this.clock.textContent = hour(Date.now());
    const plain = number.replace(/[\s-]/g, "");
    if (plain !== this.#of) this.#change(plain);
    if (!NUMBER.test(plain)) return;
    const { ok, messages } = await get(`${this.element.dataset.url}?phone=${encodeURIComponent(plain)}`);
    if (!ok || plain !== this.#of) return;
    for (const sms of messages) if (!this.#shown.has(sms.id)) this.#arrive(sms, sms.age < FRESH);
  }

  /** The code was used: it is suggested no more. */
  done() {
    this.suggestion.hidden = true;
  }

  #change(number) {
    this.#of = number;
    this.#shown.clear();
    this.chat.replaceChildren();
    this.done();
  }

  #arrive(sms, fresh) {
    this.#shown.add(sms.id);
    const item = document.getElementById("message").content.firstElementChild.cloneNode(true);
    item.querySelector("time").textContent = hour(sms.received_at);
    item.querySelector("p").append(...this.#tappable(sms.text, fresh));
    item.classList.toggle("new", fresh);
    this.chat.append(item);
    this.chat.scrollTo(0, this.chat.scrollHeight);
    if (fresh) this.element.scrollIntoView({ block: "nearest" });
  }

  #tappable(text, fresh) {
    const code = CODE.exec(text)?.[0];
    if (!code) return [text];
    if (fresh) this.#suggest(code);
    const [before, after] = text.split(code, 2);
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = code;
    button.ariaLabel = say("fillIn", { code });
    button.addEventListener("click", () => this.onTap(code));
    return [before, button, after];
  }

  #suggest(code) {
    const button = this.suggestion.querySelector("button");
    button.querySelector("b").textContent = code;
    button.onclick = () => this.onTap(code);
    this.suggestion.hidden = false;
  }
}
