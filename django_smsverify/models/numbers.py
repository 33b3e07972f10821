"""Numbers that were verified here, without the numbers themselves."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import models
from django.utils.translation import gettext_lazy as _

from django_smsverify import codes
from django_smsverify.conf import conf
from django_smsverify.masked import Secret

from .inserts import upsert
from .querysets import PrimaryManager, RowQuerySet
from .statements import find_known_number

RECYCLED_AFTER = timedelta(days=90)
"""How long carriers in mainland China keep a number that was given up before somebody else gets it, at least."""


def shortest_silence() -> timedelta:
    """For how long a number must not have been verified here before it may be somebody else's."""
    return RECYCLED_AFTER if conf.STALE_PHONE_DAYS is None else timedelta(days=conf.STALE_PHONE_DAYS)


class KnownNumberQuerySet(RowQuerySet["KnownNumber"]):
    """Known numbers, found by the digests under all keys of the site."""

    def of(self, phone: str) -> KnownNumberQuerySet:
        """The row of a number, if it is known."""
        return self.filter(digest__in=KnownNumber.digests_of(phone))

    def find(self, phone: str, since: datetime) -> KnownNumber | None:
        """The row of a number that was verified after a moment."""
        digests = KnownNumber.digests_of(phone)
        if len(digests) > 1:
            return self.of(phone).filter(verified_at__gt=since).first()
        return next((known for known in find_known_number(digest=digests[0]) if known.verified_at > since), None)

    def remember(self, phone: str, now: datetime, *, before: datetime | None) -> None:
        """Stores the moment of a number's last success, under the current key, in the caller's transaction.

        `before` is the last success before this one, as far as it is known. A silence is stored, too, until the next.
        Tokens from before a number was forgotten stay invalid.
        """
        key_ids = codes.known_key_ids()
        new = KnownNumber(
            digest=KnownNumber.digest_of(key_ids[0], phone),
            verified_at=now,
            devices_from=now - timedelta.resolution,
            silent_since=before,
            silent_until=now,
        )
        was_silent = before is None or now - before >= shortest_silence()
        changed = ("verified_at", "silent_since", "silent_until") if was_silent else ("verified_at",)
        # With one key there is no row under another. Only a new row gets `devices_from`.
        if len(key_ids) == 1 and upsert(new, "digest", *changed):
            return
        if len(key_ids) > 1:
            self._merge(phone)
        if not self.of(phone).update(digest=new.digest, **{name: getattr(new, name) for name in changed}):
            self.bulk_create([new], ignore_conflicts=True)

    def _merge(self, phone: str) -> None:
        """Leaves one row of a number; while a key is rotated, processes that do not know the new one yet make another.

        Of several moments from which device tokens are valid the last one counts, so that none is valid again.
        """
        rows = list(self.of(phone).select_for_update().order_by("pk"))
        if len(rows) > 1:
            revoked = [row.devices_from for row in rows if row.devices_from is not None]
            self.filter(pk__in=[row.pk for row in rows[1:]]).delete()
            self.filter(pk=rows[0].pk).update(devices_from=max(revoked, default=None))


class KnownNumber(models.Model):
    """A number that was verified here: a keyed digest of it, so that a stolen database does not name it."""

    digest = models.CharField(max_length=64, unique=True, editable=False)
    verified_at = models.DateTimeField(_("verified at"), db_index=True)
    devices_from = models.DateTimeField(_("devices revoked at"), null=True, blank=True)
    """Older device tokens are not valid."""
    silent_since = models.DateTimeField(null=True, editable=False)
    silent_until = models.DateTimeField(null=True, editable=False)
    """The last time without a success that was long enough for the number to get another owner. Without a beginning:
    it is not known when the number was verified before, if ever."""

    objects = PrimaryManager.from_queryset(KnownNumberQuerySet)()

    class Meta:
        verbose_name = _("known number")
        verbose_name_plural = _("known numbers")
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.digest[:8]}…"

    @staticmethod
    def digest_of(key_id: str, phone: str) -> str:
        """Returns the digest of a number under one of the site's keys."""
        return codes.digest(key_id, Secret(f"known number:{phone}"))

    @classmethod
    def digests_of(cls, phone: str) -> list[str]:
        """Returns the digests of a number under all of the site's keys."""
        return [cls.digest_of(key_id, phone) for key_id in codes.known_key_ids()]
