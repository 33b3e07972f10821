"""The same site with django-simpleui."""

from __future__ import annotations

from tests.settings import INSTALLED_APPS as OF_DJANGO

from .plain import *  # noqa: F403

INSTALLED_APPS = ["simpleui", *OF_DJANGO]
LANGUAGE_CODE = "zh-hans"
"""Of the files of its languages it loads the one of the site."""
