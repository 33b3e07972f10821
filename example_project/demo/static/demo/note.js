// The line under a form: what the server said, and for a refusal how long or how often still.

import { countdown } from "./countdown.js";
import { say } from "./words.js";

export class Note {
  #stop = () => {};

  constructor(element) {
    this.element = element;
    [this.sentence, this.aside] = element.children;
  }

  show(sentence, refused = false) {
    this.clear();
    this.sentence.textContent = sentence;
    this.element.classList.toggle("refused", refused);
  }

  refuse({ detail, errors, attempts_left: attempts, retry_after: seconds }) {
    const [first] = Object.values(errors ?? {}).flat();
    this.show(first ?? detail, true);
    if (attempts) this.aside.textContent = "●".repeat(attempts);
    if (seconds) this.#stop = countdown(seconds, (left) => this.#wait(left));
  }

  clear() {
    this.#stop();
    this.sentence.textContent = this.aside.textContent = "";
  }

  #wait(left) {
    if (!left) return this.clear();
    this.aside.textContent = say("retryIn", { seconds: left });
  }
}
