"""`{% load smsverify %}{% sms_verify purpose="login" %}`: the widget in a template, ready for use."""

from __future__ import annotations

from typing import Any

from django import template
from django.template.context import Context
from django.templatetags.static import static
from django.utils.html import format_html
from django.utils.safestring import SafeString

from django_smsverify.challenges import ticket_for
from django_smsverify.conf import conf
from django_smsverify.http.widget import element, written_attributes

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
    return format_html(
        "{}<script{}></script>", element(purpose, name, **{**own, **attributes}), written_attributes(script)
    )


def _nonce(context: Context) -> str | None:
    """The nonce of the page's Content-Security-Policy, by Django 6.0 or django-csp, where it has one."""
    nonce = context.get("csp_nonce", getattr(context.get("request"), "csp_nonce", None))
    return None if nonce is None else str(nonce)
