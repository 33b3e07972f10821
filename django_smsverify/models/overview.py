"""A name for the overview among the models of the admin; it has no table of its own."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from .records import Message


class Overview(Message):
    """Messages, as figures of a time."""

    class Meta:
        proxy = True
        default_permissions = ()
        verbose_name = _("overview")
        verbose_name_plural = _("overview")
