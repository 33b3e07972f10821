"""How many SMS a template is billed as, on its page."""

from __future__ import annotations

from django.utils.translation import ngettext

from django_smsverify import texts
from django_smsverify.conf import conf
from django_smsverify.models import Template
from django_smsverify.sending.content import segments


def told_segments(template: Template) -> str:
    """Returns how many SMS are billed for the text with its longest values; the least where these are unknown."""
    settings = conf.of(template.purpose)
    longest = {"code": "0" * settings.CODE_LENGTH, "minutes": str(max(1, settings.CODE_LIFETIME // 60))}
    names = dict.fromkeys(texts.placeholders(template.content))
    values = {name: longest.get(name, "") for name in names}
    signature = template.signature.text if template.signature else ""
    count = segments(template, values)
    facts = {
        "count": count,
        "length": len(texts.signed(signature, texts.render(template.content, values))),
        "names": ", ".join(f"{{{name}}}" for name in names if name not in longest),
    }
    if facts["names"]:
        words = ngettext(
            "at least %(count)d SMS: %(length)d characters with the signature, and the values of %(names)s",
            "at least %(count)d SMS: %(length)d characters with the signature, and the values of %(names)s",
            count,
        )
    else:
        words = ngettext(
            "%(count)d SMS: %(length)d characters with the signature and the longest values",
            "%(count)d SMS: %(length)d characters with the signature and the longest values",
            count,
        )
    return words % facts
