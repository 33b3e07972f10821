"""`{% load smsverify %}{% sms_verify purpose="login" %}`: the widget in a template, ready for use."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from django import template
from django.template.context import Context
from django.templatetags.static import static
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import get_language

from django_smsverify.challenges import ticket_for
from django_smsverify.conf import conf

register = template.Library()


@register.simple_tag(takes_context=True)
def sms_verify(context: Context, /, purpose: str, name: str = "proof", **attributes: Any) -> SafeString:
    """Returns the element `<sms-verify>` and its script, everything escaped.

    Any further keyword is an attribute: True writes it without a value, False and None leave it out, a mapping is
    written as JSON, `data_x` as `data-x`. Where the purpose has a captcha and the context the request, the element
    carries a page ticket, so the page must not be cached.

    Raises NoReverseMatch where the site does not include `django_smsverify.urls`.
    """
    request = context.get("request")
    has_captcha = conf.of(purpose).CAPTCHA is not None
    own = {"ticket": ticket_for(request)} if request and has_captcha else {}
    script = {"type": "module", "src": static("smsverify/smsverify.js"), "nonce": _nonce(context)}
    return format_html("{}<script{}></script>", element(purpose, name, **{**own, **attributes}), _written(script))


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
    return format_html("<sms-verify{}></sms-verify>", _written(written))


def _regions() -> str | None:
    """The accepted regions with their calling codes, such as `CN:86,HK:852`; None where there is no choice."""
    if len(conf.REGIONS) < 2:
        return None
    # Imported here: a site whose visitors have Chinese numbers may never need it.
    from phonenumbers import country_code_for_region

    return ",".join(f"{region}:{country_code_for_region(region)}" for region in conf.REGIONS)


def _nonce(context: Context) -> str | None:
    """The nonce of the page's Content-Security-Policy, by Django 6.0 or django-csp, where it has one."""
    nonce = context.get("csp_nonce", getattr(context.get("request"), "csp_nonce", None))
    return None if nonce is None else str(nonce)


def _written(attributes: Mapping[str, Any]) -> SafeString:
    return format_html_join("", "{}", ((attribute,) for attribute in _each(attributes)))


def _each(attributes: Mapping[str, Any]) -> Iterator[SafeString]:
    for name, value in attributes.items():
        written = json.dumps(value, ensure_ascii=False) if isinstance(value, Mapping) else value
        if value is True:
            yield format_html(" {}", name.replace("_", "-"))
        elif value is not None and value is not False:
            yield format_html(' {}="{}"', name.replace("_", "-"), written)
