"""What is spent of the budgets that hold now, by one query and without a change."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from django.utils import timezone
from django.utils.text import capfirst
from django.utils.translation import gettext as _

from django_smsverify.enums import Period
from django_smsverify.limits.budget import PROVIDER, Ceiling, ceilings
from django_smsverify.limits.budget_alarms import NEAR, owner_of
from django_smsverify.models import Provider, Spending
from django_smsverify.models.amounts import plain


@dataclass(frozen=True, slots=True)
class SpentBudget:
    """One budget, and what is spent of it."""

    ceiling: Ceiling
    owner: str
    """In the active language."""
    spent: Decimal
    row: int | None = None
    """The primary key of its Spending; None before the first SMS of the period."""

    def has_room(self, price: Decimal) -> bool:
        """Whether one more segment of this price fits."""
        return self.spent + price <= self.ceiling.amount

    @property
    def is_near(self) -> bool:
        """Whether so much is spent that somebody must know."""
        return self.spent >= NEAR * self.ceiling.amount

    @property
    def provider(self) -> int | None:
        """The primary key of the provider whose budget it is, if it is one's."""
        subject = self.ceiling.subject
        return int(subject.removeprefix(PROVIDER)) if subject.startswith(PROVIDER) else None

    @property
    def words(self) -> str:
        """How much is spent."""
        words = _("%(whose)s, %(period)s since %(since)s: %(spent)s of %(budget)s yuan are spent.")
        facts = {"whose": self.owner, "period": Period(self.ceiling.period).label, "since": self.ceiling.starts_on}
        return capfirst(words % {**facts, "spent": plain(self.spent), "budget": plain(self.ceiling.amount)})


class Budgets:
    """The budgets of some providers and purposes."""

    def __init__(self, providers: Sequence[Provider], purposes: Iterable[str]) -> None:
        now = timezone.now()
        self._of = {(one.pk, name): ceilings(one, name, now) for one in providers for name in purposes}
        every = {one.key: one for found in self._of.values() for one in found}
        self._spent = self._read(every.values(), providers) if every else {}

    @staticmethod
    def _read(found: Iterable[Ceiling], providers: Sequence[Provider]) -> dict[object, SpentBudget]:
        every = list(found)
        starts, subjects = {one.starts_on for one in every}, {one.subject for one in every}
        rows = Spending.objects.filter(starts_on__in=starts, subject__in=subjects).order_by()
        stored = {(row.subject, row.period, row.starts_on): row for row in rows}
        slugs = {str(one.pk): one.slug for one in providers}
        spent: dict[object, SpentBudget] = {}
        for one in every:
            row, owner = stored.get(one.key), owner_of(one.subject, slugs)
            spent[one.key] = SpentBudget(one, owner, row.spent, row.pk) if row else SpentBudget(one, owner, Decimal(0))
        return spent

    def __iter__(self) -> Iterator[SpentBudget]:
        return iter(self._spent.values())

    def of(self, provider: Provider, purpose: str) -> list[SpentBudget]:
        """Those that an SMS of a purpose through a provider must fit into."""
        return [self._spent[one.key] for one in self._of.get((provider.pk, purpose), ())]
