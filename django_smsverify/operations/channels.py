"""The channels by which operators are told: mail, and the URLs of the setting ALERTS, which apprise knows how to call.

These URLs hold keys. Nothing here logs, raises or returns one: a channel is named by its place in the setting and its
scheme, and remembered by a keyed digest. What apprise and its libraries log meanwhile, which may hold whole URLs, is
dropped.
"""

from __future__ import annotations

import hmac
import logging
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any

from django.conf import settings
from django.core.mail import mail_admins, mail_managers
from django.utils.crypto import salted_hmac

from django_smsverify.conf import conf
from django_smsverify.masked import Secret

MAIL = "mail"
SECONDS = 10.0
"""How long all channels may take with one alert; what takes longer is left to its thread, and counts as failed."""
LIBRARIES = ("apprise", "requests", "urllib3.connectionpool", "urllib3.util.retry", "urllib3.connection")


@dataclass(frozen=True, slots=True)
class Channel:
    """One URL of the setting ALERTS."""

    place: str
    """For people: the place in the setting, and the scheme."""
    url: Secret = field(repr=False)

    @property
    def name(self) -> str:
        """What stands for it in the database, whatever its place in the setting is."""
        key = salted_hmac("django_smsverify.alerts", "key", algorithm="sha256").digest()
        return hmac.digest(key, self.url.encode(), "sha256")[:8].hex()


def configured() -> list[Channel]:
    """Returns the channels of ALERTS."""
    return [
        Channel(f'SMSVERIFY["ALERTS"][{index}] ({url.partition(":")[0][:20]}://…)', url)
        for index, url in enumerate(conf.ALERTS)
    ]


def has_recipients() -> bool:
    """Whether anybody gets mail."""
    return bool(settings.MANAGERS or settings.ADMINS)


def is_installed() -> bool:
    """Whether there is apprise."""
    return find_spec("apprise") is not None


def is_readable(channel: Channel) -> bool:
    """Whether apprise understands the URL, which it does not call."""
    with _silence():
        return _service(channel) is not None


def send_mail(title: str, body: str) -> str:
    """Mails the site's MANAGERS, or else its ADMINS; returns why it failed, or an empty string."""
    send = mail_managers if settings.MANAGERS else mail_admins
    try:
        send(title, body)
    except Exception as error:
        # Without its message, which may hold the mail server's login.
        return type(error).__name__
    return ""


def send_to(channels: Sequence[Channel], title: str, body: str) -> Mapping[str, str]:
    """Sends to all of these channels at once; returns, by the names of those that failed, why."""
    results: dict[str, str] = {}
    threads = {
        channel.name: threading.Thread(target=_send, args=(channel, title, body, results), daemon=True)
        for channel in channels
    }
    deadline = time.monotonic() + SECONDS
    for thread in threads.values():
        thread.start()
    for thread in threads.values():
        thread.join(max(0.0, deadline - time.monotonic()))
    answered = dict(results)
    found = {name: answered.get(name, f"no answer within {SECONDS:g} s") for name in threads}
    return {name: why for name, why in found.items() if why}


def _send(channel: Channel, title: str, body: str, results: dict[str, str]) -> None:
    with _silence():
        try:
            results[channel.name] = "" if _is_sent(channel, title, body) else "it was refused, or not reached"
        except Exception as error:
            results[channel.name] = type(error).__name__


def _is_sent(channel: Channel, title: str, body: str) -> bool:
    from apprise import Apprise, NotifyFormat, NotifyType

    service = _service(channel)
    if service is None:
        return False
    sender = Apprise(asset=_asset())
    sender.add(service)
    return bool(sender.notify(body, title=title, notify_type=NotifyType.WARNING, body_format=NotifyFormat.TEXT))


def _service(channel: Channel) -> Any:
    """What apprise makes of a URL; None if it is not a valid one."""
    from apprise import Apprise

    return Apprise.instantiate(str(channel.url), asset=_asset())


def _asset() -> Any:
    from apprise import AppriseAsset

    return AppriseAsset(app_id="django-smsverify", app_desc="django-smsverify", secure_logging=True)


@contextmanager
def _silence() -> Iterator[None]:
    _install_filters()
    token = _silent.set(True)
    try:
        yield
    finally:
        _silent.reset(token)


class _SilenceDuringAlerts(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        return not _silent.get()


_silent: ContextVar[bool] = ContextVar("django_smsverify_alert", default=False)
_filter = _SilenceDuringAlerts()


def _install_filters() -> None:
    for name in LIBRARIES:
        logging.getLogger(name).addFilter(_filter)  # which adds it once
