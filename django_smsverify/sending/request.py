"""What a client asks for when it asks for a code."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from django_smsverify import phones
from django_smsverify.enums import Refused
from django_smsverify.exceptions import SMSVerifyError, Throttled
from django_smsverify.idempotency import KeyedRequest
from django_smsverify.limits import lists
from django_smsverify.limits.guard import is_judged
from django_smsverify.limits.refusals import record
from django_smsverify.limits.shared import network_digest
from django_smsverify.masked import Secret
from django_smsverify.numbers import Requester, requester_of
from django_smsverify.phones import E164


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeRequest:
    """A number, a purpose and a context that were parsed already, and who asks."""

    phone: E164
    purpose: str
    context: Secret = field(repr=False)
    """In its canonical spelling."""
    requester: Requester
    ip: str | None
    """The client's address; None: the limits per address are skipped."""
    by_operator: bool = False
    """A test, which the guard does not judge."""
    keyed: KeyedRequest | None = None
    """Remembered with what it causes, if the client may repeat it."""

    @property
    def origin(self) -> dict[str, str]:
        """What the verification keeps, by which the guard judges: nothing of a number that it does not judge."""
        is_new = is_judged(self.requester) and not self.by_operator
        return {
            "block": phones.block(self.phone) if is_new else "",
            "network": network_digest(self.ip) if self.ip else "",
        }


def identify(phone: E164, purpose: str, ip: str | None, *, device: str = "", trusted: bool = False) -> Requester:
    """Returns who asks, with what the lists of the site say.

    Raises Throttled or PhoneNotSupported, which are stored, for who is refused by a list or by NUMBER_KINDS.
    """
    try:
        listed = lists.judge(phone, ip)
    except SMSVerifyError as error:
        record(phone, purpose, Refused.LISTED if isinstance(error, Throttled) else Refused.NOT_SUPPORTED)
        raise
    return replace(requester_of(phone, device=device, trusted=trusted), listed=listed)
