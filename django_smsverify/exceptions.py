"""Every error of this app, grouped by what the caller can do next.

SMSVerifyError
├── GatewayError              the vendor's code and message
│   ├── GatewayRejected       refused: certainly not sent, `reason` is the cause
│   ├── GatewayUnavailable    the request never left: certainly not sent
│   └── GatewayUncertain      it may have been sent: never try another provider
├── InvalidPhone · PhoneNotSupported · PhoneRejected · InvalidContext
├── InvalidIdempotencyKey · IdempotencyMismatch · InProgress
├── UnknownPurpose · CaptchaRequired(offer)
├── NoRoute
│   └── OverBudget(why)
├── Throttled(scope, retry_after) · ThrottleUnavailable
├── VerificationNotFound
├── InvalidCallback           (SuspiciousOperation) a vendor's call cannot be read
│   └── ForgedCallback        it is not signed as the vendor signs
├── TooEarly                  a vendor's call is about a submission that is still in progress
├── SubmissionRefused         a step in a review that the vendor forbids, or that is not possible now
├── CodeRejected
│   └── WrongCode(attempts_left) · ContextMismatch(attempts_left) · CodeExpired · TooManyAttempts · AlreadyUsed
├── ProofRejected
└── LoginRefused              the number was verified, but leads to no login; its proof was not used up
    └── StalePhone(silent_since) · NoAccount · AccountInactive · SeveralAccounts

Not subclasses on purpose, because the site must fix them, not its visitor:
InvalidGateway · UndecryptableValue (ImproperlyConfigured) and InsideTransaction (RuntimeError).
"""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar

from django.core.exceptions import ImproperlyConfigured, SuspiciousOperation
from django.utils.functional import Promise
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from .enums import Reason, Refused, Scope


class SMSVerifyError(Exception):
    """Base of all; `code` is the stable word in the HTTP answer, `detail` a sentence for a person."""

    code: ClassVar[str] = "error"
    sentence: ClassVar[str | Promise] = _("The request could not be served.")

    def __init__(self, detail: str | Promise | None = None) -> None:
        self.detail = self.sentence if detail is None else detail
        super().__init__(self.detail)

    def __str__(self) -> str:
        return str(self.detail)

    def extra(self) -> dict[str, Any]:
        """Returns the fields of the HTTP answer besides `detail` and `code`."""
        return {}


class GatewayError(SMSVerifyError):
    """One provider did not accept one message.

    `error_code` and `detail` are the vendor's own, unchanged except for masked codes and numbers; `remote_id` is the
    vendor's message id if it gave one nevertheless.
    """

    code = "gateway_error"

    def __init__(self, detail: str = "", *, error_code: str = "", remote_id: str = "") -> None:
        super().__init__(detail)
        self.error_code = error_code
        self.remote_id = remote_id


class GatewayRejected(GatewayError):
    """The vendor refused: the SMS was certainly not sent."""

    def __init__(
        self, detail: str = "", *, reason: Reason = Reason.OTHER, error_code: str = "", option: str = ""
    ) -> None:
        super().__init__(detail, error_code=error_code)
        self.reason = reason
        self.option = option
        """The option of the provider that has to be entered first; blank where none lacks."""

    @classmethod
    def of_draft(cls, why: str, *, option: str = "") -> GatewayRejected:
        """The refusal of a signature or a template that the vendor would not review as it is."""
        return cls(why, reason=Reason.CONTENT, error_code="draft", option=option)


class GatewayUnavailable(GatewayError):
    """The request never left this machine (DNS, refused, TLS, connect timeout): certainly not sent."""


class GatewayUncertain(GatewayError):
    """The request left, but no readable answer came: the SMS may still arrive."""


class InvalidPhone(SMSVerifyError):
    """The text cannot be read as a phone number."""

    code = "invalid"
    sentence = _("This is not a phone number. Give the 11 digits of a mobile number.")


class PhoneNotSupported(SMSVerifyError):
    """A phone number, but not a mobile number of an accepted region."""

    code = "phone_not_supported"
    sentence = _("SMS cannot be sent to this number. Use a mobile number of a supported region.")


class PhoneRejected(SMSVerifyError):
    """The vendor refused the number (malformed, blacklisted)."""

    code = "phone_rejected"
    sentence = _("This number cannot receive our SMS. Use another number or contact your carrier.")


class InvalidContext(SMSVerifyError):
    """What a code is to be bound to is not a flat object of short names with short texts or numbers."""

    code = "invalid"
    sentence = _("This context cannot be used.")


class InvalidIdempotencyKey(SMSVerifyError):
    """The header Idempotency-Key is not 8 to 64 letters, digits, `_` and `-`."""

    code = "invalid"
    sentence = _("The header Idempotency-Key must have 8 to 64 characters of A-Z, a-z, 0-9, _ and -.")


class IdempotencyMismatch(SMSVerifyError):
    """The Idempotency-Key was used for another request."""

    code = "idempotency_mismatch"
    sentence = _("This Idempotency-Key was used for another request. Make a new key for each press of a button.")


class InProgress(SMSVerifyError):
    """A request with the same Idempotency-Key is still under way."""

    code = "in_progress"
    sentence = _("This request is still being served. Please ask again in a moment.")
    retry_after = 1


class UnknownPurpose(SMSVerifyError):
    """No template with a code has this purpose."""

    code = "unknown_purpose"
    sentence = _("There is no such purpose. Ask the operator of the site which purposes exist.")


class NoRoute(SMSVerifyError):
    """No provider accepted the message; nothing was sent and nothing was charged."""

    code = "gateway_unavailable"
    sentence = _("The SMS could not be sent. Please try again in a moment.")


class OverBudget(NoRoute):
    """A budget has no room for what is to be sent; the person is told no more than by NoRoute."""

    def __init__(self, why: str, provider: int, fits: int = 0) -> None:
        super().__init__()
        self.why = why
        """The sentence for an operator, in English."""
        self.provider = provider
        """The primary key of the provider that was to send it: another may have a budget left."""
        self.fits = fits
        """How many of the messages would fit, from the first on."""


class CaptchaRequired(SMSVerifyError):
    """The site's captcha did not accept the request; `offer` is what a front end needs to show a new one, if we have
    it."""

    code = "captcha_required"
    sentence = _("Please solve the captcha first.")

    def __init__(self, because: Refused = Refused.CAPTCHA, offer: Mapping[str, Any] | None = None) -> None:
        super().__init__()
        self.because = because
        """Why this request needs one."""
        self.offer = offer

    def extra(self) -> dict[str, Any]:
        return {"captcha": self.offer} if self.offer else {}


class Throttled(SMSVerifyError):
    """A limit was reached; `retry_after` is the exact wait in whole seconds."""

    code = "throttled"

    def __init__(self, scope: Scope, retry_after: int, because: Refused | None = None) -> None:
        sentence = ngettext(
            "Too many requests. Please try again in %(seconds)d second.",
            "Too many requests. Please try again in %(seconds)d seconds.",
            retry_after,
        )
        super().__init__(sentence % {"seconds": retry_after})
        self.scope = scope
        self.retry_after = retry_after
        self.because = because or Refused(scope.value)
        """What an operator is told, which may be more than the scope."""

    def extra(self) -> dict[str, Any]:
        return {"scope": self.scope.value, "retry_after": self.retry_after}


class ThrottleUnavailable(SMSVerifyError):
    """The cache that keeps the limits does not answer; nothing is sent."""

    code = "throttle_unavailable"
    sentence = _("The service is busy. Please try again in a moment.")


class VerificationNotFound(SMSVerifyError):
    """No verification has this id."""

    code = "not_found"
    sentence = _("There is no such verification. Ask for a new code.")


class InvalidCallback(SMSVerifyError, SuspiciousOperation):
    """A webhook call that cannot be read; nothing of it was stored."""

    code = "invalid_callback"
    sentence = _("This call cannot be read.")


class ForgedCallback(InvalidCallback):
    """A webhook call that is not signed as its vendor signs; nothing of it was stored."""

    code = "forged_callback"
    sentence = _("This call is not signed by the vendor.")


class TooEarly(SMSVerifyError):
    """A verdict on a submission whose id is not stored yet; the vendor may send it again in a minute."""

    code = "too_early"
    sentence = _("This is about something that is being submitted just now. Please send it again.")


class SubmissionRefused(SMSVerifyError):
    """A submission that cannot be made, changed, deleted or queried: the vendor was not called."""

    code = "submission_refused"
    sentence = _("This cannot be submitted.")


class CodeRejected(SMSVerifyError):
    """The code does not verify; the subclass gives the cause."""


class WrongCode(CodeRejected):
    """The guess was counted and was wrong; `attempts_left` more are allowed."""

    code = "wrong_code"

    def __init__(self, attempts_left: int) -> None:
        sentence = ngettext(
            "Wrong code. %(count)d attempt left.", "Wrong code. %(count)d attempts left.", attempts_left
        )
        super().__init__(sentence % {"count": attempts_left})
        self.attempts_left = attempts_left

    def extra(self) -> dict[str, Any]:
        return {"attempts_left": self.attempts_left}


class ContextMismatch(CodeRejected):
    """The guess was counted; the code was asked for with another context, or with none."""

    code = "context_mismatch"
    sentence = _("This code was sent for something else. Ask for a new one.")

    def __init__(self, attempts_left: int) -> None:
        super().__init__()
        self.attempts_left = attempts_left

    def extra(self) -> dict[str, Any]:
        return {"attempts_left": self.attempts_left}


class CodeExpired(CodeRejected):
    """The lifetime of the code is over."""

    code = "expired"
    sentence = _("This code has expired. Ask for a new one.")


class TooManyAttempts(CodeRejected):
    """All guesses of this verification are used up."""

    code = "too_many_attempts"
    sentence = _("Too many wrong codes. Ask for a new one.")


class AlreadyUsed(CodeRejected):
    """The code has already been used to verify."""

    code = "already_used"
    sentence = _("This code has been used. Ask for a new one.")


class ProofRejected(SMSVerifyError):
    """The proof is forged, too old, for another purpose, or was redeemed before."""

    code = "proof_rejected"
    sentence = _("This proof of verification is not valid. Verify the number again.")


class LoginRefused(SMSVerifyError):
    """The number was verified, but leads to no login; its proof was not used up."""


class StalePhone(LoginRefused):
    """Nobody has verified the number here for so long that it may belong to somebody else now.

    `silent_since` is when the site last knew it as its account's.
    """

    code = "stale_phone"
    sentence = _("This number was not used here for a long time. Log in another way, and verify it again there.")

    def __init__(self, silent_since: datetime) -> None:
        super().__init__()
        self.silent_since = silent_since


class NoAccount(LoginRefused):
    """No account has the number, and none is to be made."""

    code = "no_account"
    sentence = _("There is no account with this number. Register first.")


class AccountInactive(LoginRefused):
    """The account with the number may not log in."""

    code = "account_inactive"
    sentence = _("This account is locked.")


class SeveralAccounts(LoginRefused):
    """More than one account has the number."""

    code = "several_accounts"
    sentence = _("Several accounts have this number. Log in another way.")


class InvalidGateway(ImproperlyConfigured):
    """A provider names a gateway that does not exist or cannot be imported."""


class UndecryptableValue(ImproperlyConfigured):
    """A stored secret was encrypted with a key that is no longer configured."""


class InsideTransaction(RuntimeError):
    """The call runs inside a transaction, whose rollback would lose a guess or an SMS."""


def words_for_operators(error: Exception) -> str:
    """Returns what an operator needs to know of an error, which may be more than a visitor is told."""
    if isinstance(error, Throttled) and error.because == Refused.LISTED:
        return gettext("The number is on the block list: it gets nothing until it is taken off.")
    if isinstance(error, PhoneNotSupported):
        where = gettext("The setting REGIONS names the regions; the vendor may serve fewer.")
        return f"{error} ({where})"
    return f"{error} ({error.why})" if isinstance(error, OverBudget) else str(error)


def describe(error: BaseException) -> str:
    """Returns the error's class and the code lines of its traceback, for a log.

    The message is left out, because it may contain a number or a code. Write the log line outside the `except` block:
    inside it, monitoring tools find the error itself among the local variables.
    """
    frames = "".join(traceback.format_tb(error.__traceback__))
    return f"{type(error).__name__}:\n{frames}"
