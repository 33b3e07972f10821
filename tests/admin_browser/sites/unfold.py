"""The same site with django-unfold."""

from __future__ import annotations

from tests.settings import INSTALLED_APPS as OF_DJANGO

from .plain import *  # noqa: F403

INSTALLED_APPS = ["unfold", *OF_DJANGO]
