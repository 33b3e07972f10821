// What the page says, as the server translated it.

const sentences = JSON.parse(document.getElementById("words").textContent);

/** The sentence with its {names} filled in. */
export function say(name, values = {}) {
  return sentences[name].replace(/\{(\w+)\}/g, (_, key) => values[key]);
}

const clock = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
const format = (options) => new Intl.DateTimeFormat(document.documentElement.lang, options);
const short = format(clock);
const long = format({ ...clock, second: "2-digit" });

export const hour = (moment) => short.format(new Date(moment));
export const second = (moment) => long.format(new Date(moment));
