// Whose phone is shown: that of the number typed last. What a phone's keyboard does with a code is done here, too.

const PLACE = "demo number";
const MOBILE = /^1\d{10}$/;

/** A number of the mainland, without its prefix; any other as it was typed. */
function plain(typed) {
  const bare = typed.normalize("NFKC").replace(/[\s-]/g, "").replace(/^(\+|00)?86(?=1\d{10}$)/, "");
  return MOBILE.test(bare) ? bare : "";
}

const widgets = () => [...document.querySelectorAll("sms-verify")].filter(({ shadowRoot }) => shadowRoot);
const typeInto = (field, text) => {
  field.value = text;
  field.dispatchEvent(new Event("input", { bubbles: true, composed: true }));
};

export class Visitor {
  constructor(number, { onChanged }) {
    this.number = number || sessionStorage.getItem(PLACE) || "";
    this.onChanged = onChanged;
    // Out of the widget's shadow, too.
    document.addEventListener("input", (event) => this.#typed(event.composedPath()[0]));
  }

  /** Types a number where one is asked for. */
  take(number) {
    const field = widgets()[0]?.shadowRoot.getElementById("number") ?? document.querySelector("input[type=tel]");
    if (!field) return;
    typeInto(field, number);
    field.focus();
  }

  /** Where a code for this number is asked for. */
  get codeFields() {
    return widgets()
      .filter(({ shadowRoot }) => plain(shadowRoot.getElementById("number").value) === this.number)
      .map(({ shadowRoot }) => shadowRoot.getElementById("code"))
      .filter((field) => field.checkVisibility());
  }

  /** Types a code there. */
  fillIn(code) {
    const [field] = this.codeFields;
    if (field) typeInto(field, code);
  }

  #typed(field) {
    const number = field.type === "tel" ? plain(field.value) : "";
    if (!number || number === this.number) return;
    this.number = number;
    sessionStorage.setItem(PLACE, number);
    this.onChanged();
  }
}
