"""System checks of what tells operators: the URLs of ALERTS, and the libraries of other packages."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

from django.core.checks import CheckMessage, Error, Tags, register

from django_smsverify.conf import conf
from django_smsverify.operations.channels import configured, is_installed, is_readable


@register(Tags.security)
def check_alerts(**kwargs: Any) -> list[CheckMessage]:
    """Apprise is installed where ALERTS name channels, and understands each of them; none is called."""
    if not conf.ALERTS:
        return []
    if not is_installed():
        why = 'SMSVERIFY["ALERTS"] is set, but apprise is not installed.'
        return [Error(why, hint='pip install "django-smsverify[alerts]"', id="smsverify.E020")]
    # Without the URL: it holds a key.
    return [
        Error(
            f"{channel.place} is no URL that apprise understands.",
            hint="Look for a wrong scheme, and for a missing or cut key; `smsverify_alert --test` tries the others.",
            id="smsverify.E021",
        )
        for channel in configured()
        if not is_readable(channel)
    ]


@register(Tags.security)
def check_metrics(**kwargs: Any) -> list[CheckMessage]:
    """What writes metrics is installed where they may be read."""
    if conf.METRICS_TOKEN is None or find_spec("prometheus_client") is not None:
        return []
    why = 'SMSVERIFY["METRICS_TOKEN"] is set, but prometheus-client is not installed.'
    return [Error(why, hint='pip install "django-smsverify[metrics]"', id="smsverify.E022")]
