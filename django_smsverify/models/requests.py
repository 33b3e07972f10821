"""Requests that succeeded, so that a client that lost the answer can ask again."""

from __future__ import annotations

from datetime import datetime

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from django_smsverify.exceptions import IdempotencyMismatch
from django_smsverify.idempotency import KeyedRequest

from .querysets import PrimaryManager, RowQuerySet
from .records import Verification


class RememberedRequestQuerySet(RowQuerySet["RememberedRequest"]):
    """Remembered requests, found by the digests of a repeated one."""

    def recall(self, request: KeyedRequest) -> RememberedRequest | None:
        """Returns what is remembered of an equal request; raises IdempotencyMismatch for another body."""
        found = self.filter(key__in=request.keys).select_related("verification__root").first()
        if found is not None and found.body not in request.bodies:
            raise IdempotencyMismatch
        return found

    def remember(self, request: KeyedRequest | None, verification: Verification, now: datetime) -> None:
        """Stores a request together with what it causes, in the caller's transaction; nothing for None.

        Raises IntegrityError when a concurrent request with the same key was faster.
        """
        if request is not None:
            self.create(key=request.keys[0], body=request.bodies[0], verification=verification, created_at=now)


class RememberedRequest(models.Model):
    """A request with an Idempotency-Key; a refused one is forgotten."""

    key = models.CharField(max_length=64, unique=True, editable=False)
    body = models.CharField(max_length=64, editable=False)
    verification = models.ForeignKey(
        Verification, models.CASCADE, related_name="+", verbose_name=_("verification"), editable=False
    )
    created_at = models.DateTimeField(_("created at"), default=timezone.now)

    objects = PrimaryManager.from_queryset(RememberedRequestQuerySet)()

    class Meta:
        verbose_name = _("remembered request")
        verbose_name_plural = _("remembered requests")
        default_permissions = ()

    def __str__(self) -> str:
        return str(self.verification)
