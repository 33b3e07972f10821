// The visitor's phone: SMS arrive at the bottom, their code is one tap away, and they can be answered.

import { Composer } from "./composer.js";
import { get } from "./http.js";
import { hour, say } from "./words.js";

const CODE = /\d{4,8}/;
const FRESH = 10;
const NEWS = ["delivered", "undelivered"];

export class Phone {
  #shown = new Map();
  #of = "";
  #code = "";

  constructor(element, { isAsked, onTap, onTake }) {
    this.element = element;
    this.chat = element.querySelector(".chat");
    this.suggestion = element.querySelector(".suggestion");
    this.clock = element.querySelector(".top time");
    this.owner = element.querySelector(".owner");
    element.querySelector(".take").addEventListener("click", ({ target }) => onTake(target.value));
    this.composer = new Composer(element.querySelector(".composer"), {
      number: () => this.#of,
      onSent: (screen) => this.#draw(screen),
    });
    this.isAsked = isAsked;
    this.onTap = onTap;
    new ResizeObserver(() => this.#scroll()).observe(this.chat);
  }

  /** Fetches what is on the screen of the phone with this number. */
  async look(number) {
    this.clock.textContent = hour(Date.now());
    if (number !== this.#of) this.#change(number);
    if (!number) return;
    const screen = await get(`${this.element.dataset.url}?phone=${encodeURIComponent(number)}`);
    if (screen.ok && number === this.#of) this.#draw(screen);
  }

  /** The code was used: it is suggested no more. */
  done() {
    this.#code = "";
    this.suggestion.hidden = true;
  }

  #change(number) {
    this.#of = number;
    this.owner.textContent = number.replace(/^(\d{3})(\d{4})/, "$1 $2 ");
    this.#shown.clear();
    this.chat.replaceChildren();
    this.composer.show(false, "");
    this.done();
  }

  #draw({ messages, replies, closed }) {
    const bubbles = [...messages.map((sms) => this.#sms(sms)), ...replies.map((reply) => this.#reply(reply))];
    bubbles.sort((one, other) => one.at - other.at);
    const before = this.#shown.size;
    for (const bubble of bubbles) this.#show(bubble);
    this.composer.show(messages.length > 0, closed);
    this.suggestion.hidden = !(this.#code && this.isAsked());
    if (this.#shown.size > before) this.#scroll();
  }

  #sms({ id, text, age, status, received_at: at }) {
    const state = NEWS.includes(status) ? status : "onItsWay";
    return { id, at: new Date(at), side: "came", state, fresh: age < FRESH, parts: () => this.#tappable(text, age < FRESH) };
  }

  #reply({ id, text, age, received, sent_at: at }) {
    const state = received ? "received" : "onItsWay";
    return { id, at: new Date(at), side: "went", state, fresh: age < FRESH, parts: () => [text] };
  }

  #show(bubble) {
    const shown = this.#shown.get(bubble.id);
    const item = shown ?? this.#make(bubble);
    const state = item.querySelector(".state");
    if (state.dataset.is !== bubble.state) {
      state.dataset.is = bubble.state;
      state.querySelector("span").textContent = say(bubble.state);
    }
    if (!shown) this.#add(item, bubble);
  }

  #make({ at, side, fresh, parts }) {
    const item = document.getElementById("message").content.firstElementChild.cloneNode(true);
    const time = item.querySelector("time");
    time.textContent = hour(at);
    time.hidden = time.textContent === this.chat.querySelector("article:last-child time")?.textContent;
    item.querySelector("p").append(...parts());
    item.classList.add(side);
    item.classList.toggle("new", fresh);
    return item;
  }

  #add(item, { id, fresh }) {
    this.#shown.set(id, item);
    this.chat.append(item);
    if (fresh) this.element.scrollIntoView({ block: "nearest" });
  }

  #scroll() {
    this.chat.scrollTo(0, this.chat.scrollHeight);
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
    this.#code = code;
  }
}
