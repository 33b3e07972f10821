const WORDS = {
  number: ["Mobile number", "手机号"],
  region: ["Country or region", "国家或地区"],
  code: ["Code", "验证码"],
  letters: ["Characters in the image", "图中字符"],
  send: ["Send code", "获取验证码"],
  busy: ["One moment…", "请稍候…"],
  wait: ["Again in {left}", "{left}后重发"],
  seconds: ["{n} s", "{n} 秒"],
  again: ["Send again", "重新发送"],
  retry: ["Try again", "重试"],
  verify: ["Verify", "验证"],
  another: ["Another image", "换一张"],
  other: ["Another number", "换个号码"],
  verified: ["{phone} is verified", "{phone} 已验证"],
  accepted: ["A code was sent to {phone}.", "验证码已发送至 {phone}。"],
  second: ["The code was sent to {phone} again, another way.", "验证码已换线路重新发送至 {phone}。"],
  delivered: ["The SMS was delivered to {phone}.", "短信已送达 {phone}。"],
  undelivered: [
    "The SMS to {phone} could not be delivered. Check the number, or send again.",
    "短信未能送达 {phone}，请检查号码或重新发送。",
  ],
  offline: ["No connection. Check the network, then try again.", "网络未连接，请检查后重试。"],
  unavailable: ["Something went wrong. Try again in a moment.", "出错了，请稍后重试。"],
  expired: ["This has expired.", "已过期。"],
  anew: [" Ask for a new code.", "请重新获取验证码。"],
  first: ["Please verify your mobile number first.", "请先验证手机号。"],
  empty: ["Enter your mobile number.", "请输入手机号。"],
  short: ["Enter the {length} digits of the code.", "请输入 {length} 位数字验证码。"],
};

// Not on the host: a page may have its own --accent.
const STYLE = `
:host { display: block; }
#root {
  --accent: var(--smsverify-accent, #2952d9);
  --on-accent: var(--smsverify-on-accent, #fff);
  --error: var(--smsverify-error, #b42323);
  --success: var(--smsverify-success, #0f7a45);
  --text: var(--smsverify-text, CanvasText);
  --quiet: color-mix(in srgb, var(--text) 72%, transparent);
  --soft: var(--smsverify-soft, color-mix(in srgb, var(--text) 7%, transparent));
  --border: var(--smsverify-border, color-mix(in srgb, var(--text) 50%, transparent));
  --gap: var(--smsverify-gap, .625rem);
  color: var(--text);
  font: 1rem/1.5 var(--smsverify-font, system-ui, sans-serif);
}
@supports (color: light-dark(#000, #fff)) {
  #root {
    --accent: var(--smsverify-accent, light-dark(#2952d9, #8aa5ff));
    --on-accent: var(--smsverify-on-accent, light-dark(#fff, #0c1020));
    --error: var(--smsverify-error, light-dark(#b42323, #ff9393));
    --success: var(--smsverify-success, light-dark(#0f7a45, #5fd396));
  }
}
:host([hidden]), [hidden] { display: none !important; }
* { box-sizing: border-box; min-width: 0; margin: 0; }
fieldset { padding: 0; border: 0; }
label, p { color: var(--quiet); font-size: .875rem; }
label { display: block; margin-bottom: .375rem; }
.row { display: flex; flex-wrap: wrap; align-items: center; gap: var(--gap); margin-bottom: 1rem; }
input, select, button, img {
  min-height: 2.75rem;
  padding: 0 .75rem;
  border: 1px solid var(--border);
  border-radius: var(--smsverify-radius, .625rem);
  background: var(--smsverify-field, Canvas);
  color: inherit;
  font: inherit;
  font-variant-numeric: tabular-nums;
}
input { flex: 99 1 9rem; }
select { flex: 0 1 5.5rem; padding: 0 .5rem; }
button {
  flex: 1 0 auto;
  min-width: 8.25rem;
  border-color: transparent;
  background: var(--soft);
  white-space: nowrap;
  cursor: pointer;
}
button:hover { border-color: var(--border); }
.main, #verify { background: var(--accent); color: var(--on-accent); }
:is(#send, #verify)[aria-disabled=true] { background: var(--soft); color: var(--quiet); cursor: default; }
:disabled { opacity: .6; }
[aria-invalid=true] { border-color: var(--error); box-shadow: inset 0 0 0 1px var(--error); }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
img { padding: 0; background: #fff; }
#code { letter-spacing: .15em; }
#error { color: var(--error); }
#verified { flex: 99 1 10rem; outline: 0; color: var(--success); font-size: 1rem; }
#verified::before { content: "✓\\2002" / ""; }`;

const FALLBACKS = {
  purpose: "login",
  name: "",
  base: "/sms/",
  regions: "",
  phone: "",
  ticket: "",
  autosubmit: false,
  remember: false,
  disabled: false,
};
const ENDS = /^(expired|too_many|already|not_found|context)/;
const OF_NUMBER = /^(invalid|phone)/;

// A clock that nobody turns while the page is open.
const loaded = Date.now() - performance.now();
const now = () => (loaded + performance.now()) / 1000;
const pause = (seconds) => new Promise((resolve) => setTimeout(resolve, seconds * 1000));
const digits = (text) => text.normalize("NFKC").replace(/\D/g, "");

// A browser may forbid storage.
function stored(storage, key, value) {
  try {
    if (value === undefined) return window[storage].getItem(key);
    if (value === null) window[storage].removeItem(key);
    else window[storage].setItem(key, value);
  } catch {}
}

/** The code in what was typed, or in a whole SMS. */
function codeIn(text, length) {
  const written = text.normalize("NFKC").replace(/\p{Cf}/gu, "");
  const bare = written.replace(/[\s\p{Pd}]/gu, "");
  if (/^\d*$/.test(bare)) return bare;
  const half = length >> 1;
  const run = `(?<![\\d+]|\\d-)(\\d{${length}}|\\d{${half}}[ -]\\d{${length - half}})(?!-?\\d)`;
  const [, found] = written.match(`(?:[验证态]码|[Cc]ode)[^\\d.。,，;；]{0,12}${run}`) ?? written.match(run) ?? [];
  // A guess costs: none is made of the numbers of a long text.
  return digits(found ?? (bare.length > 12 ? "" : bare));
}

let sheet;

// Servers that render pages import this, too.
export class SMSVerify extends (globalThis.HTMLElement ?? class {}) {
  static formAssociated = true;
  static observedAttributes = ["lang", "purpose", "name", "base", "regions", "phone", "context"];

  captcha = this.captcha;

  #internals = this.attachInternals();
  #ui = {};
  #state = {};
  #problem = {};
  #lost = {};
  #turn = 0;
  #busy = "";
  #note = "";
  #image;
  #ticket;
  #timer;

  constructor() {
    super();
    if (!sheet) (sheet = new CSSStyleSheet()).replaceSync(STYLE);
    const root = this.attachShadow({ mode: "open", delegatesFocus: true });
    root.adoptedStyleSheets = [sheet];
    root.append(this.#build());
    const { ask, code, number, region } = this.#ui;
    const pressed = {
      send: () => this.#send(),
      verify: () => this.#verify(),
      another: () => this.#send({ isFresh: true }),
      other: () => this.reset(),
    };
    root.addEventListener("click", ({ target }) => pressed[target.id]?.());
    ask.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.isComposing || event.target.localName !== "input") return;
      event.preventDefault();
      pressed[event.target === code ? "verify" : "send"]();
    });
    number.addEventListener("focus", () => this.#ticket ?? this.#takeTicket());
    number.oninput = region.oninput = () => this.#numberTyped();
    code.oninput = code.oncompositionend = ({ isComposing }) => isComposing || this.#codeTyped(code.value);
    code.onpaste = (event) => {
      event.preventDefault();
      this.#codeTyped(event.clipboardData.getData("text"));
    };
  }

  connectedCallback() {
    // Set before this class was loaded.
    for (const [name, value] of Object.entries(this)) {
      delete this[name];
      this[name] = value;
    }
    if (this.ticket) this.#ticket ??= { at: now(), value: this.ticket };
    this.#start();
  }

  disconnectedCallback() {
    this.#turn += 1;
    clearTimeout(this.#timer);
  }

  attributeChangedCallback(name, before, value) {
    if (before !== value && this.isConnected && this.#ui.root.lang) this.#start();
  }

  formAssociatedCallback(form) {
    // A proof is for one use: no reload brings back what a form took.
    form?.addEventListener("formdata", () => {
      if (!this.proof) return;
      stored("sessionStorage", this.#place, null);
      window.addEventListener("pageshow", () => this.reset(), { once: true });
    });
  }

  formDisabledCallback(disabled) {
    this.#ui.root.disabled = disabled;
  }

  formResetCallback() {
    this.reset();
  }

  get form() {
    return this.#internals.form;
  }

  checkValidity() {
    return this.#internals.checkValidity();
  }

  reportValidity() {
    return this.#internals.reportValidity();
  }

  get proof() {
    return this.#state.proof ?? "";
  }

  get context() {
    return JSON.parse(this.getAttribute("context")) ?? undefined;
  }

  set context(value) {
    if (value) this.setAttribute("context", JSON.stringify(value));
    else this.removeAttribute("context");
  }

  reset() {
    this.removeAttribute("proof");
    this.#ui.number.value = this.phone;
    this.#drop({});
    this.#focus("number", false);
  }

  #build() {
    const part = (tag, id, attributes, ...children) => {
      const element = (this.#ui[id] = document.createElement(tag));
      for (const [name, value] of Object.entries({ id, part: id, ...attributes })) element.setAttribute(name, value);
      element.append(...children);
      return element;
    };
    const button = (id) => part("button", id, { type: "button" });
    const row = (id, ...fields) => part("div", `${id}-row`, { class: "row" }, ...fields);
    const labelled = (id, attributes, before, after) => [
      part("label", `${id}-label`, { for: id, part: "label" }),
      row(id, ...before, part("input", id, { "aria-describedby": "error", ...attributes }), after),
    ];
    const tel = { type: "tel", autocomplete: "tel", enterkeyhint: "send" };
    const otp = { inputmode: "numeric", autocomplete: "one-time-code", "aria-describedby": "status error" };
    return part(
      "fieldset",
      "root",
      {},
      part(
        "div",
        "ask",
        {},
        ...labelled("number", tel, [part("select", "region")], button("send")),
        part("div", "captcha", {}, ...labelled("letters", {}, [part("img", "image")], button("another"))),
        part("div", "coding", {}, ...labelled("code", otp, [], button("verify"))),
      ),
      row("done", part("p", "verified", { tabindex: -1 }), button("other")),
      part("p", "status", { role: "status" }),
      part("p", "error", { role: "alert" }),
    );
  }

  #start() {
    const ui = this.#ui;
    const { lang } = this.closest("[lang]") ?? document.documentElement;
    ui.root.lang = /^zh/i.test(lang || navigator.language) ? "zh-Hans" : "en";
    for (const name of ["number", "code", "letters"]) this.#write(`${name}-label`, this.#say(name));
    for (const name of ["another", "other"]) this.#write(name, this.#say(name));
    ui.image.alt = this.#say("letters");
    ui.region.ariaLabel = this.#say("region");
    const names = new Intl.DisplayNames(ui.root.lang, { type: "region" });
    const options = this.#regions.map(([region, calling]) => {
      const name = names.of(region).replace(/^(香港|澳门|台湾)/, "中国$&");
      return new Option(`+${calling} ${name}`, region);
    });
    ui.region.replaceChildren(...options);
    ui.region.hidden = !options[1];
    const kept = JSON.parse(stored("sessionStorage", this.#place) ?? "{}");
    const { number = this.phone, region = options[0]?.value, bare } = kept;
    const given = this.getAttribute("proof");
    const state = given
      ? { number, proof: given, phone: this.getAttribute("verified") }
      : now() >= kept.ends
        ? { number, region, bare }
        : { ...kept, status: "" };
    ui.number.value = number;
    ui.region.value = region;
    this.#drop(state);
    if (state.id) this.#follow(0);
  }

  get #place() {
    return `smsverify:${[this.base, this.purpose, this.name, this.phone, JSON.stringify(this.context)]}`;
  }

  get #regions() {
    return this.regions.split(",").map((region) => region.trim().split(":")).filter(([, calling]) => calling);
  }

  get #phone() {
    const typed = this.#ui.number.value.normalize("NFKC").trim();
    const place = this.#ui.region.selectedIndex;
    return place > 0 && /^(?!\+|00)./.test(typed) ? `+${this.#regions[place][1]}${typed}` : typed;
  }

  get #typed() {
    const { number, region } = this.#ui;
    const bare = digits(this.#phone).replace(/^(00)?86(?=1\d{10}$)/, "");
    return { number: number.value, region: region.value, bare };
  }

  get #left() {
    return Math.max(0, Math.ceil((this.#state.until ?? 0) - now()));
  }

  get #url() {
    return new URL(this.base.replace(/\/?$/, "/"), document.baseURI).href;
  }

  #say(name, values = this.#state) {
    return WORDS[name][this.#ui.root.lang === "en" ? 0 : 1].replace(/\{(\w+)\}/g, (_, key) => values[key]);
  }

  #write(name, text) {
    if (this.#ui[name].textContent !== text) this.#ui[name].textContent = text;
  }

  #tell(name, detail) {
    this.dispatchEvent(new CustomEvent(`smsverify:${name}`, { detail, bubbles: true, composed: true }));
  }

  #keep(state) {
    this.#state = state;
    stored("sessionStorage", this.#place, JSON.stringify(state));
  }

  #drop(state) {
    this.#turn += 1;
    this.#lost = {};
    this.#image = null;
    if (!state.id) this.#ui.code.value = "";
    this.#keep(state);
    this.#show();
  }

  #show({ problem = {}, busy = "", note = "" } = {}) {
    [this.#problem, this.#busy, this.#note] = [problem, busy, note];
    this.#draw();
  }

  #draw() {
    const ui = this.#ui;
    const { id, proof, status } = this.#state;
    const { text = "", field } = this.#problem;
    ui.ask.hidden = !!proof;
    ui["done-row"].hidden = !proof;
    ui.coding.hidden = !id;
    ui.captcha.hidden = !this.#image;
    ui.send.className = id ? "" : "main";
    for (const name of ["number", "code", "letters"]) ui[name].ariaInvalid = name === field;
    this.#write("verified", proof ? this.#say("verified") : "");
    this.#write("status", this.#note || (id && !text && WORDS[status] ? this.#say(status) : ""));
    this.#write("error", text);
    this.#internals.setFormValue(proof ?? null);
    this.#internals.setValidity({ valueMissing: !proof }, this.#say("first"), id ? ui.code : ui.number);
    this.#tick();
  }

  #tick() {
    clearTimeout(this.#timer);
    const ui = this.#ui;
    const { id, ends } = this.#state;
    if (now() >= ends) {
      this.#drop(this.#typed);
      return this.#fail({ code: "expired", detail: this.#say("expired") + this.#say("anew") });
    }
    const n = this.#left;
    const clock = new Date(n * 1000).toISOString().slice(11, 19).replace(/^00:/, "");
    const left = n < 100 ? this.#say("seconds", { n }) : clock;
    for (const [name, word, wait] of [["send", id ? "again" : "send", n], ["verify", "verify"]]) {
      const idle = wait ? "wait" : this.#lost[name] ? "retry" : word;
      this.#write(name, this.#say(this.#busy === name ? "busy" : idle, { left }));
      // "disabled" would lose the focus.
      ui[name].ariaDisabled = this.#busy === name || !!wait;
    }
    if (n || ends) this.#timer = setTimeout(() => this.#tick(), 250);
    if (!n && this.#problem.code === "throttled") this.#show();
  }

  #fail(answer, field) {
    const [first] = Object.values(answer.errors ?? {}).flat();
    this.#show({ problem: { text: first ?? answer.detail, field, code: answer.code } });
    this.#focus(field ?? "send", answer.code !== "expired");
    if (answer.code) this.#tell("failed", answer);
  }

  // Whoever went on to another field stays there; Safari focuses no clicked button.
  #focus(name, isPressed = true) {
    const isFree = isPressed && document.activeElement === document.body;
    if (isFree || this.matches(":focus-within")) this.#ui[name].focus();
  }

  async #fetch(path, { headers, ...options } = {}) {
    const signal = AbortSignal.timeout(30000);
    try {
      const told = { "Accept-Language": this.#ui.root.lang, ...headers };
      const response = await fetch(this.#url + path, { ...options, headers: told, signal });
      if (response.ok) return { ok: true, ...(await response.json()) };
      return { code: "unavailable", detail: this.#say("unavailable"), ...(await response.json().catch(() => {})) };
    } catch {
      return { code: "offline", detail: this.#say("offline") };
    }
  }

  // One key for one press of a button: what is repeated does nothing twice.
  async #post(name, body, tokens) {
    const turn = this.#turn;
    const asked = JSON.stringify(body);
    if (this.#lost[name]?.asked !== asked) {
      this.#lost[name] = { asked, key: crypto.getRandomValues(new Uint32Array(4)).join("-") };
    }
    const headers = { "Content-Type": "application/json", "Idempotency-Key": this.#lost[name].key };
    const request = { method: "POST", headers, body: JSON.stringify({ ...body, ...tokens }) };
    for (let attempt = 1; ; attempt += 1) {
      const answer = await this.#fetch(`${name}/`, request);
      if (turn !== this.#turn) return null;
      const isLost = ["offline", "in_progress"].includes(answer.code);
      if (!isLost && answer.code !== "unavailable") delete this.#lost[name];
      if (!isLost || attempt === 3) return answer;
      this.#show({ busy: this.#busy, note: this.#say("offline") });
      await pause(attempt);
      if (turn !== this.#turn) return null;
    }
  }

  #takeTicket() {
    if (!this.hasAttribute("ticket")) return;
    this.#ticket = { at: now(), value: this.#fetch("ticket/").then(({ ticket }) => ticket) };
  }

  async #usableTicket() {
    // From 1.5 seconds to 30 minutes.
    if (!(now() - this.#ticket?.at < 1700)) this.#takeTicket();
    const { at, value } = this.#ticket ?? {};
    if (await value) await pause(Math.max(0, at + 1.6 - now()));
    return value;
  }

  async #send({ solution, isFresh } = {}) {
    if (this.#busy || this.#left) return;
    const { id } = this.#state;
    const { value } = this.#ui.letters;
    const isRead = this.#image && !isFresh;
    if (!this.#phone) return this.#fail({ detail: this.#say("empty") }, "number");
    if (isRead && !value) return this.#fail({ detail: this.#say("letters") }, "letters");
    const asked = id ? { verification_id: id } : { phone: this.#phone, purpose: this.purpose, context: this.context };
    const turn = (this.#turn += 1);
    this.#show({ busy: "send" });
    const captcha = solution ?? (isRead ? { key: this.#image, value } : undefined);
    const device = this.remember ? stored("localStorage", this.#devicePlace) : undefined;
    const ticket = await this.#usableTicket();
    if (turn !== this.#turn) return;
    const answer = await this.#post("send", asked, { ticket, device, captcha });
    if (!answer) return;
    if (answer.ok) this.#sent(answer);
    else if (answer.code === "captcha_required") this.#challenge(answer, captcha);
    else this.#refused(answer, OF_NUMBER.test(answer.code) ? "number" : undefined);
    if (answer.ok) this.#takeTicket();
  }

  #sent({ ok, ...answer }) {
    const { verification_id: id, phone, expires_in: life, resend_in: wait, code_length: length } = answer;
    const times = { ends: now() + life, until: now() + wait };
    this.#drop({ ...this.#typed, id, phone, length, status: "accepted", ...times });
    this.#focus("code");
    this.#tell("sent", answer);
    this.#follow(1);
  }

  async #challenge(answer, captcha) {
    const { key, image, challenge } = answer.captcha ?? {};
    if (image) {
      this.#image = key;
      this.#ui.image.src = new URL(image, this.#url);
      this.#ui.letters.value = "";
      this.#show({ problem: captcha && { text: answer.detail, field: "letters" } });
      return this.#focus("letters");
    }
    const turn = this.#turn;
    if (captcha || !(challenge || this.captcha)) return this.#refused(answer);
    this.#show({ busy: "send", note: this.#say("busy") });
    const solver = this.getAttribute("altcha") ?? "./altcha.js";
    const prove = async () => (await import(solver)).solve(challenge, () => turn === this.#turn);
    const ask = async () => (challenge ? prove() : this.captcha(answer));
    const solution = await ask().catch(() => null);
    if (turn !== this.#turn) return;
    if (!solution) return this.#refused(answer);
    this.#busy = "";
    this.#send({ solution });
  }

  async #follow(wait) {
    const turn = this.#turn;
    for (let total = 0; total < 60; total += wait, wait = Math.min(wait + 1, 5)) {
      await pause(wait);
      while (document.hidden) await pause(1);
      if (turn !== this.#turn) return;
      const answer = await this.#fetch(`send/${this.#state.id}/`);
      if (turn !== this.#turn) return;
      if (answer.ok) this.#learn(answer);
      else if (answer.code === "not_found") this.#refused(answer);
      if (["delivered", "not_sent"].includes(answer.status)) return;
    }
  }

  #learn({ ok, ...answer }) {
    const { status, tries, phone, expires_in: life, resend_in: wait } = answer;
    const before = this.#state;
    const news = /delivered|not_sent/.test(status) ? status : tries ? "second" : "accepted";
    const until = status === "not_sent" ? now() + wait : Math.max(before.until, now() + wait);
    this.#keep({ ...before, phone, until, ends: now() + life, status: news });
    if (!["undelivered", "not_sent"].includes(news)) {
      if (this.#problem.isNews) this.#problem = {};
    } else if (news !== before.status) {
      const detail = answer.detail ?? this.#say(news);
      this.#problem = { text: detail, isNews: true };
      this.#tell("failed", { code: news, ...answer, detail });
    }
    this.#draw();
  }

  async #verify() {
    const { id, length } = this.#state;
    // Again: it costs a guess.
    if (!id || this.#busy || this.#problem.code === "wrong_code") return;
    const code = codeIn(this.#ui.code.value, length);
    if (code.length !== length) return this.#fail({ detail: this.#say("short") }, "code");
    const asked = { verification_id: id, code, context: this.context };
    this.#show({ busy: "verify" });
    const answer = await this.#post("verify", asked);
    if (!answer) return;
    if (answer.ok) return this.#verified(answer);
    this.#refused(answer, "code");
    this.#ui.code.select();
  }

  #verified({ ok, ...answer }) {
    const { phone, proof, proof_expires_in: life, device } = answer;
    if (this.remember) stored("localStorage", this.#devicePlace, device);
    this.#drop({ ...this.#typed, phone, proof, ends: now() + life });
    this.#focus("verified");
    this.#tell("verified", answer);
    if (this.autosubmit) this.form?.requestSubmit();
  }

  get #devicePlace() {
    return `smsverify:device:${this.#typed.bare}`;
  }

  #refused(answer, field) {
    const isUsedUp = answer.attempts_left === 0;
    const isOver = isUsedUp || ENDS.test(answer.code);
    if (isUsedUp) answer.detail += this.#say("anew");
    if (isOver) this.#drop(this.#typed);
    if (answer.retry_after) this.#keep({ ...this.#state, ...this.#typed, until: now() + answer.retry_after });
    this.#fail(answer, isOver ? undefined : field);
  }

  #numberTyped() {
    const typed = this.#typed;
    if (typed.bare === this.#state.bare) this.#keep({ ...this.#state, ...typed });
    else this.#drop(typed);
  }

  #codeTyped(text) {
    const { length } = this.#state;
    const code = (this.#ui.code.value = codeIn(text, length));
    this.#problem = {};
    if (code.length === length) this.#verify();
    else if (text && !code) this.#fail({ detail: this.#say("short") }, "code");
    else this.#draw();
  }
}

for (const [name, fallback] of Object.entries(FALLBACKS)) {
  Object.defineProperty(SMSVerify.prototype, name, {
    get() {
      return fallback === false ? this.hasAttribute(name) : (this.getAttribute(name) ?? fallback);
    },
    set(value) {
      if (value == null || value === false) this.removeAttribute(name);
      else this.setAttribute(name, value === true ? "" : value);
    },
  });
}

if (globalThis.customElements && !customElements.get("sms-verify")) customElements.define("sms-verify", SMSVerify);
