// What the site's operator can read about the number: each attempt in a sentence, and what holds now.

import { get } from "./http.js";
import { second } from "./words.js";

export class Story {
  #drawn = "";
  #of = "";

  constructor(section) {
    this.section = section;
    this.entries = section.querySelector(".entries");
    this.present = section.querySelector(".present");
  }

  async look(number) {
    if (!number) return;
    this.#of = number;
    const { ok, ...told } = await get(`${this.section.dataset.url}?phone=${encodeURIComponent(number)}`);
    if (!ok || number !== this.#of || JSON.stringify(told) === this.#drawn) return;
    this.#drawn = JSON.stringify(told);
    this.section.querySelector(".empty").hidden = true;
    this.entries.replaceChildren(...told.entries.map(entry));
    this.present.replaceChildren(...told.present.map((sentence) => element("li", sentence)));
  }
}

function entry({ at, sentence, advice }) {
  const time = element("time", second(at));
  time.dateTime = at;
  const item = element("li", time, element("p", sentence));
  if (advice) item.append(element("p", advice));
  return item;
}

function element(name, ...content) {
  const made = document.createElement(name);
  made.append(...content);
  return made;
}
