"""The element of the widget, as HTML in which everything is escaped."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from django.templatetags.static import static
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import get_language

from django_smsverify.conf import conf


def element(purpose: str, name: str, **attributes: Any) -> SafeString:
    """Returns the element alone; without a ticket it asks for one, where the purpose has a captcha."""
    written = {
        "purpose": purpose,
        "name": name,
        "base": reverse("smsverify:send").removesuffix("send/"),
        "regions": _regions(),
        "lang": get_language(),
        "ticket": conf.of(purpose).CAPTCHA is not None,
        "altcha": static("smsverify/altcha.js"),
        **attributes,
    }
    return format_html("<sms-verify{}></sms-verify>", written_attributes(written))


def _regions() -> str | None:
    """The accepted regions with their calling codes, such as `CN:86,HK:852`; None where there is no choice."""
    if len(conf.REGIONS) < 2:
        return None
    # Imported here: a site whose visitors have Chinese numbers may never need it.
    from phonenumbers import country_code_for_region

    return ",".join(f"{region}:{country_code_for_region(region)}" for region in conf.REGIONS)


def written_attributes(attributes: Mapping[str, Any]) -> SafeString:
    """Returns attributes as `sms_verify` takes them."""
    return format_html_join("", "{}", ((attribute,) for attribute in _each(attributes)))


def _each(attributes: Mapping[str, Any]) -> Iterator[SafeString]:
    for name, value in attributes.items():
        written = json.dumps(value, ensure_ascii=False) if isinstance(value, Mapping) else value
        if value is True:
            yield format_html(" {}", name.replace("_", "-"))
        elif value is not None and value is not False:
            yield format_html(' {}="{}"', name.replace("_", "-"), written)
