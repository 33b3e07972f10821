"""What every page shows around its scene: the phone, the vendors, and the words of the scripts."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest

from demo.phone import LONGEST_REPLY
from demo.seed import ACCOUNTS
from demo.vendors import moods, moods_of
from demo.words import words


def around_the_scene(request: HttpRequest) -> dict[str, Any]:
    """A context processor; the pages of the admin ask for none of it."""
    return {
        "vendors": lambda: [(account, moods[account.slug], moods_of(account.slug)) for account in ACCOUNTS],
        "words": words,
        "languages": settings.LANGUAGES,
        "longest_reply": LONGEST_REPLY,
        "has_api": "drf_spectacular_sidecar" in settings.INSTALLED_APPS,
    }
