// What is around the scene: the phone, what happened and why, the wire. The scene itself is an ordinary page of a site.

import { post } from "./http.js";
import { Phone } from "./phone.js";
import { Story } from "./story.js";
import { Visitor } from "./visitor.js";
import { Wire } from "./wire.js";

const EVERY = 1000;
const part = (id) => document.getElementById(id);

const visitor = new Visitor(part("phone").dataset.number, { onChanged: () => look() });
const wire = new Wire(part("wire"));
const story = new Story(part("story"));
const phone = new Phone(part("phone"), {
  isAsked: () => visitor.codeFields.length > 0,
  onTap: (code) => visitor.fillIn(code),
  onTake: (number) => visitor.take(number),
});

part("trouble").addEventListener("change", ({ target, currentTarget }) => {
  post(currentTarget.dataset.url, { vendor: target.name, mood: target.value });
});

document.addEventListener("smsverify:sent", () => look());
document.addEventListener("smsverify:verified", () => phone.done());

function look() {
  const { number } = visitor;
  return Promise.all([phone.look(number), story.look(number), wire.look()]);
}

async function keepLooking() {
  if (document.visibilityState === "visible") await look();
  setTimeout(keepLooking, EVERY);
}

document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && look());
keepLooking();
