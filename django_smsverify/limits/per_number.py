"""The limits of one number: exact, judged from one reading of its history while the number's row is locked."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.utils import timezone

from django_smsverify.conf import Limit, conf
from django_smsverify.enums import Scope
from django_smsverify.exceptions import CaptchaRequired, Throttled
from django_smsverify.models import Message, Verification
from django_smsverify.models.history import MAX_CLOCK_SKEW, PastSMS, PastVerification
from django_smsverify.models.statements import lock_recipient

LONGEST_LIFE = timedelta(days=3)
"""Twice the longest CODE_LIFETIME and the longest PROOF_LIFETIME: guesses are counted for so long after the request."""

LOCKED_AFTER = 100
"""Wrong codes in a row after which each code has one guess."""


def counts_for() -> timedelta:
    """Returns how long what happened to a number counts for its limits: the longest window, and the life of a code."""
    windows = (conf.RESEND_INTERVAL, conf.GUESS_LIMIT.seconds, *(limit.seconds for limit in conf.PHONE_LIMITS))
    return timedelta(seconds=max(windows)) + LONGEST_LIFE


def lock_number(phone: str) -> None:
    """Locks the number's row for the rest of the transaction.

    It writes first: under load SQLite refuses to turn a read transaction into a write transaction.
    """
    lock_recipient(phone=phone, now=timezone.now())


@dataclass(frozen=True, slots=True)
class NumberHistory:
    """What a number got and guessed within its windows; exact while the number's row is locked."""

    now: datetime
    verifications: Sequence[PastVerification]
    sms: Sequence[PastSMS]
    """Those that count, newest first: all with a code but those not sent."""
    was_moved: bool = False
    """Whether dates were moved back just now, which must be committed."""
    failures: int = 0
    """Wrong codes since the last success, of all time; known where a code is about to be made, see `failures`."""

    @classmethod
    def read(cls, phone: str, now: datetime) -> NumberHistory:
        """Reads it in one statement: between two, an attempt could be missing in both.

        If the clock was set back, some SMS lie in the future and their real age is unknown; they are moved back until
        the newest is at the present time. Thus no wait is longer than its window, and no window exceeds its limit.
        """
        since = now - counts_for()
        history = cls(now, *Verification.objects.history(phone, since))
        if history.sms and history.sms[0].created_at > now + MAX_CLOCK_SKEW:
            Message.objects.move_back(phone, history.sms[0].created_at - now, now)
            return cls(now, *Verification.objects.history(phone, since), was_moved=True)
        return history

    def require_allowance(
        self, *, by_stranger: bool, can_be_asked: bool = False, but: UUID | None = None, pauses: bool = True
    ) -> None:
        """Checks the number's own limits over all rolling windows, without the message with the id `but`.

        Strangers together may spend half, rounded up, of what a known number has; one who `can_be_asked` is then asked
        for a captcha, as the owner may be among them. Unless it `pauses`, the pause between two SMS is left out. Raises
        Throttled with the longest wait, or CaptchaRequired.
        """
        charged = [sms for sms in self.sms if sms.id != but]
        sent = [sms.created_at for sms in charged]
        waits = [(_wait(sent, Limit(1, conf.RESEND_INTERVAL), self.now) if pauses else 0, Scope.RESEND)]
        waits += [(_wait(sent, limit, self.now), Scope.PHONE) for limit in conf.PHONE_LIMITS]
        seconds, scope = max(waits, key=lambda wait: wait[0])
        theirs = [sms.created_at for sms in charged if sms.by_stranger] if by_stranger else []
        of_strangers = max((_wait(theirs, _half(limit), self.now) for limit in conf.PHONE_LIMITS), default=0)
        if of_strangers > seconds:
            if can_be_asked:
                raise CaptchaRequired
            seconds, scope = of_strangers, Scope.PHONE
        if seconds > 0:
            raise Throttled(scope, seconds)

    def sms_with(self, code: UUID) -> list[PastSMS]:
        """Returns the SMS with the code that this verification holds, oldest first."""
        own = {past.id for past in self.verifications if past.code_id == code}
        return [sms for sms in reversed(self.sms) if sms.verification_id in own]

    @property
    def is_locked(self) -> bool:
        """Whether so many codes in a row were wrong that each has one guess, until one is right or an operator lifts
        this."""
        return self.failures >= LOCKED_AFTER

    def allowed_guesses(self, purpose: str, *, by_stranger: bool) -> int:
        """Returns how many guesses an SMS adds; at least one, so that no stranger can lock the owner out."""
        if self.is_locked:
            return 1
        return int(max(1, min(conf.of(purpose).MAX_ATTEMPTS, self.guesses_left(by_stranger=by_stranger))))

    def guesses_left(self, *, by_stranger: bool) -> int:
        """Returns how many guesses the number has left; 0 or less: none.

        Strangers together have half of those of a known number, rounded up.
        """
        limit = conf.GUESS_LIMIT
        left = limit.times - self._guesses(self.verifications)
        if not by_stranger:
            return left
        theirs = [verification for verification in self.verifications if verification.by_stranger]
        return min(left, _half(limit).times - self._guesses(theirs))

    def _guesses(self, verifications: Iterable[PastVerification]) -> int:
        """The attempts that were used within the window, plus those that live verifications have reserved."""
        since = self.now - timedelta(seconds=conf.GUESS_LIMIT.seconds)
        live = {past.id for past in self.verifications if past.root_id is None and past.is_live(self.now)}
        return sum(
            (past.attempts if past.attempted_at and past.attempted_at > since else 0)
            + (max(0, past.max_attempts - past.attempts) if past.is_reserved and past.code_id in live else 0)
            for past in verifications
        )


def resend_wait(verification: Verification, now: datetime) -> int:
    """Returns the whole seconds until a verification's code may be sent again; 0 once it can no longer verify.

    Only SMS with this code count: otherwise anyone with an id, even an old one, could watch the number's other SMS.
    """
    if not verification.is_live(now):
        return 0
    pause = Limit(1, conf.RESEND_INTERVAL)
    if sent_at := verification.simulated_at or verification.last_sent_at:
        return _wait([sent_at], pause, now)
    own = Message.objects.carrying(verification.holder)
    return _wait(own.charged_since(now - timedelta(seconds=pause.seconds)), pause, now)


def _half(limit: Limit) -> Limit:
    return Limit(math.ceil(limit.times / 2), limit.seconds)


def _wait(spent: Sequence[datetime], limit: Limit, now: datetime) -> int:
    """Whole seconds until one more SMS fits into the window, at most its length; `spent` is newest first."""
    if len(spent) < limit.times:
        return 0
    free_at = spent[limit.times - 1] + timedelta(seconds=limit.seconds)
    return min(limit.seconds, max(0, math.ceil((free_at - now).total_seconds())))
