"""The pytest fixture `sms`. pytest imports this module in every project that has the package, so it imports no more."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .site import SMSKit


@pytest.fixture
def sms(db: None) -> Iterator[SMSKit]:
    """The SMS of a test: `sms.code`, `sms.outbox`, `sms.verified(phone)`; needs pytest-django."""
    from .site import sms_kit

    with sms_kit() as kit:
        yield kit
