"""System checks of captchas: the kinds that come with the package need packages of others."""

from __future__ import annotations

from typing import Any

from django.core.checks import CheckMessage, Error, Tags, register

from django_smsverify.challenges.captchas import KINDS, kinds_in_use


@register(Tags.security)
def check_captchas(**kwargs: Any) -> list[CheckMessage]:
    """Each kind of captcha that is used can be shown; until then every request that needs one is refused."""
    messages: list[CheckMessage] = []
    for kind in kinds_in_use():
        if problem := KINDS[kind].why_unusable():
            why, hint = problem
            messages.append(Error(f'SMSVERIFY["CAPTCHA"] is "{kind}", but {why}.', hint=hint, id="smsverify.E016"))
    return messages
