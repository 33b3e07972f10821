"""The steps of a code after its SMS: what was entered, whether it was right, and how it ended."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from django.utils.translation import gettext as _

from django_smsverify.conf import conf
from django_smsverify.models import Verification
from django_smsverify.phones import is_forgotten

from .records import Records, was_sent
from .steps import Step, facts
from .words import counted_wrong


def code_steps(verification: Verification, records: Records) -> Iterator[Step]:
    """Yields what happened to the code of one verification, in no order."""
    if verification.simulated_at is not None:
        yield _step(verification, verification.simulated_at, _("Nothing was sent, as it was a test number"))
    yield from _entered(verification, records)
    yield from _ended(verification, records)


def _entered(verification: Verification, records: Records) -> Iterator[Step]:
    code, wrong = verification.holder, counted_wrong(records.wrong_codes(verification))
    if code.verified_at is not None:
        before = facts((_("before it"), wrong))
        yield Step(code.verified_at, _("The right code was entered"), "good", before, verification, Verification)
        if verification.redeemed_at is not None:
            # Forgetting a number ends its proof, too, and nothing that is stored tells the two apart.
            either = _("The proof of it was used, or ended when the number was forgotten")
            title = either if is_forgotten(code.phone) else _("The proof of it was used")
            yield _step(verification, verification.redeemed_at, title)
    elif wrong and verification.attempted_at is not None:
        used_up = verification.attempts >= verification.max_attempts
        title = _("%(wrong)s, and no guess is left") % {"wrong": wrong} if used_up else wrong
        yield _step(verification, verification.attempted_at, title, "bad" if used_up else "warn")


def _ended(verification: Verification, records: Records) -> Iterator[Step]:
    """When the code expires; nothing for one that was used, or that no SMS carried."""
    code = verification.holder
    if code.verified_at is not None or not (verification.is_simulated or any(map(was_sent, records.messages))):
        return
    is_over = not code.seconds_left(records.now)
    if was_revoked(code):
        title = _("The number was forgotten as its owner asked, which ended the code")
    else:
        title = _("The code expired, and was not entered") if is_over else _("The code is valid until then")
    yield _step(verification, code.expires_at, title, "warn" if is_over else "quiet")


def was_revoked(code: Verification) -> bool:
    """Whether forgetting the number has ended the code: else a code that an SMS carried lives as long as it may."""
    lifetime = timedelta(seconds=conf.of(code.purpose).CODE_LIFETIME)
    return is_forgotten(code.phone) and code.expires_at - code.created_at < lifetime


def _step(verification: Verification, at: datetime, title: str, tone: str = "quiet") -> Step:
    return Step(at, title, tone, row=verification, told_by=Verification)
