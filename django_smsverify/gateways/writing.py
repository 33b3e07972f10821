"""Writing what a vendor reads: the text or the values of one number, in the vendor's order and names."""

from __future__ import annotations

from django_smsverify import texts
from django_smsverify.masked import Secret
from django_smsverify.types import OutgoingSMS


def full_text(sms: OutgoingSMS, phone: str) -> Secret:
    """The text for one number, without the signature."""
    return Secret(texts.render(sms.content, sms.recipients[phone]))


def ordered_values(sms: OutgoingSMS, phone: str) -> list[str]:
    """The values for one number in the order of the placeholders."""
    return [sms.recipients[phone][name] for name in texts.placeholders(sms.content)]


def named_values(sms: OutgoingSMS, phone: str) -> dict[str, str]:
    """The values for one number under the vendor's names."""
    values = sms.recipients[phone]
    return {sms.variables.get(name, name): values[name] for name in texts.placeholders(sms.content)}
