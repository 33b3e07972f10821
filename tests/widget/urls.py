"""Pages with the widget, under a Content-Security-Policy that allows what comes from the site and nothing else."""

from __future__ import annotations

import json
from collections.abc import Mapping

from captcha.views import captcha_image
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.template import engines
from django.urls import include, path
from django.utils import translation
from django.views.decorators.http import require_GET, require_POST

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'"
)
PAGE = """{% load smsverify %}<!doctype html>
<html lang="{{ lang }}">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Sign in</title>
<link rel="stylesheet" href="/page.css"><script src="/page.js"></script></head>
<body><main><h1>{% if lang == "en" %}Sign in{% else %}登录{% endif %}</h1>
<form method="post" action="/posted/">{% csrf_token %}
{% if without_ticket %}{% sms_verify purpose="login" ticket=False %}
{% else %}{% sms_verify purpose="login" autosubmit=autosubmit remember=remember context=bound %}{% endif %}
<button>{% if lang == "en" %}Continue{% else %}继续{% endif %}</button></form></main></body></html>"""
STYLE = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; background: Canvas; color: CanvasText }
body { margin: 0 } main { max-width: 26rem; margin: 0 auto; padding: 1.5rem 1rem } form > button { margin-top: 1rem }
h1 { margin: 0 0 1.5rem; font-size: 1.5rem } form > button { min-height: 44px; padding: 0 1rem }
"""
SCRIPT = """
window.heard = [];
for (const name of ["sent", "verified", "failed"]) {
  document.addEventListener(`smsverify:${name}`, ({ detail }) => heard.push([name, detail]));
}
"""


def service(request: object, data: Mapping[str, object]) -> bool:
    """The captcha of a service."""
    return data.get("captcha") == "solved"


@login_not_required
@require_GET
def page(request: HttpRequest) -> HttpResponse:
    lang = request.GET.get("lang", "en")
    shown = {
        "lang": lang,
        "autosubmit": "autosubmit" in request.GET,
        "remember": "remember" in request.GET,
        "without_ticket": "without_ticket" in request.GET,  # for tests that need not wait until one is usable
        "bound": json.loads(request.GET.get("context", "null")),
    }
    with translation.override(lang):
        content = engines["django"].from_string(PAGE).render(shown, request)
    return HttpResponse(content, headers={"Content-Security-Policy": POLICY})


@login_not_required
@require_POST
def posted(request: HttpRequest) -> HttpResponse:
    return HttpResponse(
        f"<title>Posted</title><p>{len(request.POST['proof'])}", headers={"Content-Security-Policy": POLICY}
    )


@login_not_required
def style(request: HttpRequest) -> HttpResponse:
    return HttpResponse(STYLE, "text/css")


@login_not_required
def script(request: HttpRequest) -> HttpResponse:
    return HttpResponse(SCRIPT, "text/javascript")


urlpatterns = [
    path("page/", page),
    path("posted/", posted),
    path("page.css", style),
    path("page.js", script),
    path("captcha/image/<key>/", login_not_required(captcha_image), {"scale": 1}, name="captcha-image"),
    path("sms/", include("django_smsverify.urls")),
]
