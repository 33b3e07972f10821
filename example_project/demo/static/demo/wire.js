// The table of what was handed to which vendor, and what came of it.

import { get } from "./http.js";
import { say, second } from "./words.js";

export class Wire {
  #seen = null;
  #drawn = "";

  constructor(section) {
    this.section = section;
    this.body = section.querySelector("tbody");
    this.labels = [...section.querySelectorAll("th")].map((head) => head.textContent);
    this.pulse = section.querySelector(".pulse");
  }

  async look() {
    const { ok, messages } = await get(this.section.dataset.url);
    this.pulse.classList.toggle("stopped", !ok);
    this.pulse.textContent = say(ok ? "live" : "stopped");
    if (ok && JSON.stringify(messages) !== this.#drawn) this.#draw(messages);
  }

  #draw(messages) {
    this.#drawn = JSON.stringify(messages);
    this.body.replaceChildren(...messages.map((message) => this.#row(message)));
    this.#seen = new Set(messages.map(({ id }) => id));
  }

  #row(message) {
    const row = document.createElement("tr");
    row.role = "row";
    if (this.#seen && !this.#seen.has(message.id)) row.className = "new";
    const badge = document.createElement("span");
    badge.className = `badge ${message.status}`;
    badge.textContent = message.outcome;
    const cells = [
      cell(second(message.created_at)),
      cell(message.vendor),
      cell(message.phone),
      cell(badge),
      cell(message.segments, "figure"),
      cell(message.cost === null ? "" : `¥${message.cost}`, "figure"),
      cell(message.took, "figure"),
      cell(message.error),
    ];
    cells.forEach((element, place) => (element.dataset.label = this.labels[place]));
    row.append(...cells);
    return row;
  }
}

function cell(content, className = "") {
  const element = document.createElement("td");
  element.role = "cell";
  element.className = className;
  element.append(content);
  if (content === "") element.replaceChildren();
  return element;
}
