/** The answer of `send/`: what a front end needs to ask for the code. Times are in seconds. */
export interface Sent {
  verification_id: string;
  /** Masked: 138****8000 */
  phone: string;
  expires_in: number;
  resend_in: number;
  code_length: number;
  /** False where no new SMS was sent, because a code is live. */
  sent?: false;
}

/** The answer of `verify/`. */
export interface Verified {
  /** Masked: 138****8000 */
  phone: string;
  purpose: string;
  /** Good for one use, by `redeem_proof` on the server. */
  proof: string;
  proof_expires_in: number;
  /** Shows later that this browser is the owner's. */
  device: string;
}

/** A refusal of the server, or `offline`, `unavailable`, `expired`, `undelivered` and `not_sent`. */
export interface Failed {
  code: string;
  /** A sentence for a person. */
  detail: string;
  attempts_left?: number;
  retry_after?: number;
  scope?: "resend" | "phone" | "ip" | "prefix" | "global";
  [more: string]: unknown;
}

/** `<sms-verify>`; the properties are the attributes. */
export class SMSVerify extends HTMLElement {
  static readonly formAssociated: true;
  /** What the number is proved for; `login` without it. */
  purpose: string;
  /** The name of the proof in the form. */
  name: string;
  /** Where the site includes `django_smsverify.urls`; `/sms/` without it. */
  base: string;
  /** Regions to choose from, with their calling codes: `CN:86,HK:852`. */
  regions: string;
  /** The number to begin with, such as that of the account; the person may type another. */
  phone: string;
  /** A page ticket; where it is set to an empty text, the element asks for one. */
  ticket: string;
  /** What the code is bound to. */
  context: Record<string, string | number> | undefined;
  /** Submits the form once the number is verified. */
  autosubmit: boolean;
  /** Keeps the device token of a verified number in localStorage. */
  remember: boolean;
  disabled: boolean;
  /** Asks a captcha service; what it returns is sent as `captcha`. */
  captcha: ((refusal: Failed) => Promise<unknown>) | undefined;
  /** Empty until the number is verified. */
  readonly proof: string;
  readonly form: HTMLFormElement | null;
  checkValidity(): boolean;
  reportValidity(): boolean;
  /** Forgets the number, its code and the proof. */
  reset(): void;
}

declare global {
  interface HTMLElementTagNameMap {
    "sms-verify": SMSVerify;
  }
  interface HTMLElementEventMap {
    "smsverify:sent": CustomEvent<Sent>;
    "smsverify:verified": CustomEvent<Verified>;
    "smsverify:failed": CustomEvent<Failed>;
  }
}
