"""Budgets in yuan: of the site, of a purpose, of a provider; each for a day, a month, or both.

Counted is price × segments of every SMS that was accepted or may have been. It is counted before the SMS leaves, in the
transaction that stores it as being sent, and taken off in the one that stores that it was certainly not sent. Each
message knows in which rows it is counted. A row that is missing begins with what the messages of its period cost, so
that a budget may be set at any time.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import partial
from itertools import accumulate
from typing import NamedTuple

from django.db.models import F, Q, Sum
from django.utils import timezone
from django.utils.translation import gettext_noop as _

from django_smsverify.conf import Budget, conf
from django_smsverify.enums import MessageStatus, Period
from django_smsverify.exceptions import OverBudget
from django_smsverify.models import Message, Provider, Spending, Template
from django_smsverify.models.amounts import plain
from django_smsverify.models.days import date_of, days_between
from django_smsverify.transactions import retry_on_conflict

from .budget_alarms import log_refusal, note_spending

SITE, PURPOSE, PROVIDER = "", "purpose:", "provider:"
"""Whose budget it is; before the colon stands the field of a message."""
LONGEST_QUEUE = timedelta(hours=26)
"""No message is sent so long after its row was created."""
SPENT = _("while it was queued the budget was spent")
"""Stored with a message that was withdrawn."""
NOT_COUNTED = (MessageStatus.QUEUED, MessageStatus.NOT_SENT)

Key = tuple[str, str, date]


class Ceiling(NamedTuple):
    """One budget in the period that is now."""

    subject: str
    period: Period
    starts_on: date
    amount: Decimal

    @property
    def key(self) -> Key:
        """What identifies its row."""
        return self.subject, self.period, self.starts_on


def is_any_set(providers: Iterable[Provider]) -> bool:
    """Whether the site, a purpose or any of all providers has a budget."""
    of_purposes = (_own_budget(purpose) for purpose in conf.PURPOSES)
    return any([conf.BUDGET, *of_purposes, *(provider.budget for provider in providers)])


def current_budget(row: Spending, providers: Mapping[str, Provider]) -> Decimal | None:
    """Returns the budget of whom a row is, as it is now; None without one. `providers` are all, by primary key."""
    budget: Budget = conf.BUDGET
    if row.subject.startswith(PURPOSE):
        budget = _own_budget(row.subject.removeprefix(PURPOSE))
    elif row.subject.startswith(PROVIDER):
        provider = providers.get(row.subject.removeprefix(PROVIDER))
        budget = provider.budget if provider else {}
    return budget.get(Period(row.period))


def forget_unused(providers: Iterable[Provider]) -> Iterator[str]:
    """Deletes rows older than RETENTION_DAYS, and those of the present whose budget was taken away: if it is set again,
    they begin anew, with what was sent meanwhile. Yields the word that the poll counts, for each."""
    today, by_pk = date_of(timezone.now()), {str(provider.pk): provider for provider in providers}
    current = Q(period=Period.DAY, starts_on=today) | Q(period=Period.MONTH, starts_on=today.replace(day=1))
    is_old = Q(starts_on__lt=today - timedelta(days=conf.RETENTION_DAYS + 31))
    for row in Spending.objects.filter(current | is_old):
        if row.starts_on < today.replace(day=1) or current_budget(row, by_pk) is None:
            row.delete()
            yield "spending forgotten"


def _own_budget(purpose: str) -> Budget:
    """The budget of a purpose beside that of the site."""
    own = conf.of(purpose)
    return own.BUDGET if "BUDGET" in own.overrides() else {}


def ceilings(provider: Provider, purpose: str, now: datetime) -> list[Ceiling]:
    """Returns the budgets that an SMS of a purpose through a provider must fit into."""
    budgets = {
        SITE: conf.BUDGET,
        f"{PURPOSE}{purpose}": _own_budget(purpose),
        f"{PROVIDER}{provider.pk}": provider.budget,
    }
    return _in_force(budgets, now) if any(budgets.values()) else []


def _in_force(budgets: Mapping[str, Budget], now: datetime) -> list[Ceiling]:
    today = date_of(now)
    starts = {Period.DAY: today, Period.MONTH: today.replace(day=1)}
    return [
        Ceiling(subject, period, starts[period], amount)
        for subject, budget in budgets.items()
        for period, amount in budget.items()
    ]


def seen_left(providers: Iterable[Provider]) -> dict[Ceiling, Decimal]:
    """Returns what is left of each budget of the site, of purposes and of these providers, for who only reads: one of
    which no SMS was counted yet is taken for unspent."""
    budgets = {SITE: conf.BUDGET, **{f"{PURPOSE}{purpose}": _own_budget(purpose) for purpose in conf.PURPOSES}}
    found = _in_force({**budgets, **{f"{PROVIDER}{one.pk}": one.budget for one in providers}}, timezone.now())
    rows = _read(found, locked=False) if found else {}
    return {one: one.amount - (rows[one.key].spent if one.key in rows else 0) for one in found}


def reserve(messages: Sequence[Message]) -> None:
    """Counts messages of one provider and purpose, in the transaction that stores them as being sent.

    New ones must be stored afterwards, with what they are counted in.

    Raises OverBudget if they do not all fit; then that transaction must not be committed.
    """
    first = messages[0]
    found = ceilings(first.provider, first.purpose, first.claimed_at or timezone.now())
    if not found:
        return
    rows = _rows(found, locked=True, but=messages)
    amounts = [amount_of(message) for message in messages]
    if why := _why_not(first.provider, found, rows, sum(amounts, Decimal(0))):
        room = min(one.amount - rows[one.key].spent for one in found)
        fits = sum(total <= room for total in accumulate(amounts)) if first.provider.price is not None else 0
        raise OverBudget(why, first.provider_id, fits)
    _count(messages, [rows[one.key] for one in found])
    for one in found:
        note_spending(rows[one.key], one.amount)


def count_after_all(message: Message) -> None:
    """Counts a message that its vendor had refused, and yet reports on, once, whether it fits or not.

    It must be called in the transaction that has raised the status.
    """
    found = ceilings(message.provider, message.purpose, message.claimed_at or message.created_at)
    given_back = Message.objects.filter(pk=message.pk, counted_in="").select_for_update()
    if found and given_back.first():  # no other report was faster
        rows = _rows(found, locked=True, but=[message])
        _count([message], [rows[one.key] for one in found])


def give_back(messages: Iterable[Message]) -> None:
    """Takes messages that are now stored as not sent off what was spent, once, in the transaction that stored it."""
    counted = [message.pk for message in messages if message.counted_in]
    if not counted:
        return
    # All is read here: the objects may tell of a transaction that was rolled back.
    rows = Message.objects.filter(pk__in=counted, status=MessageStatus.NOT_SENT).exclude(counted_in="").order_by()
    amounts: dict[str, Decimal] = defaultdict(Decimal)
    for message in rows.select_for_update().only("counted_in", "price", "segments"):
        amounts[message.counted_in] += amount_of(message)
    rows.update(counted_in="")
    for ids, amount in amounts.items():
        Spending.objects.filter(pk__in=ids.split()).update(spent=F("spent") - amount)


def affordable(templates: Sequence[Template], purpose: str, *, without: Message | None = None) -> list[Template]:
    """Returns the templates for which the budgets have room for one more segment.

    With `without`, as if this message was not sent. Raises OverBudget when there is room for none of several.
    """
    refused = over_budget({template.provider for template in templates}, purpose, without=without)
    left = [template for template in templates if template.provider_id not in refused]
    if templates and not left:
        error = refused[templates[0].provider_id]
        log_refusal(error)
        raise error
    return left


def over_budget(
    providers: Collection[Provider], purpose: str, *, segments: int = 1, without: Message | None = None
) -> dict[int, OverBudget]:
    """Returns why no SMS of so many segments can be sent, by the primary keys of the providers of which that is so."""
    asked = _ceilings_of(providers, purpose)
    if not asked:
        return {}
    rows = retry_on_conflict(partial(_rows_and_alarms, asked), Spending.objects.db)
    for row in rows.values():
        if without and str(row.pk) in without.counted_in.split():
            row.spent -= amount_of(without)
    return _refused(asked, rows, segments)


def seen_over_budget(providers: Collection[Provider], purpose: str) -> dict[int, OverBudget]:
    """Does what `over_budget` does, for a page that only reads: it makes no row and raises no alarm."""
    asked = _ceilings_of(providers, purpose)
    every = {one.key: one for found in asked.values() for one in found}
    rows = _read(list(every.values()), locked=False) if every else {}
    missing = {key: Spending(spent=_spent_before(one, ())) for key, one in every.items() if key not in rows}
    return _refused(asked, {**rows, **missing}, 1)


def _ceilings_of(providers: Iterable[Provider], purpose: str) -> dict[Provider, list[Ceiling]]:
    """The budgets of each of these providers that has any."""
    now = timezone.now()
    return {provider: found for provider in providers if (found := ceilings(provider, purpose, now))}


def _refused(
    asked: Mapping[Provider, Sequence[Ceiling]], rows: Mapping[Key, Spending], segments: int
) -> dict[int, OverBudget]:
    whys = {one.pk: _why_not(one, found, rows, (one.price or 0) * segments) for one, found in asked.items()}
    return {pk: OverBudget(why, pk) for pk, why in whys.items() if why}


def _rows_and_alarms(asked: Mapping[Provider, Sequence[Ceiling]]) -> dict[Key, Spending]:
    """The rows; an alarm is raised where not even the cheapest of these providers can send one segment more."""
    rows = _rows([one for found in asked.values() for one in found])
    prices: dict[Ceiling, list[Decimal]] = defaultdict(list)
    for provider, found in asked.items():
        for one in found:
            prices[one] += [] if provider.price is None else [provider.price]
    for one, some in prices.items():
        note_spending(rows[one.key], one.amount, min(some, default=None))
    return rows


def amount_of(message: Message) -> Decimal:
    """Returns what a message counts."""
    return (message.price or Decimal(0)) * message.segments


def _why_not(provider: Provider, found: Iterable[Ceiling], rows: Mapping[Key, Spending], amount: Decimal | int) -> str:
    """Why so much more may not be spent; empty if it may."""
    if provider.price is None:
        return f"{provider.slug} has no price, without which nothing is sent by it while a budget is set"
    for one in found:
        spent = rows[one.key].spent
        if spent + amount > one.amount:
            of_provider = one.subject.startswith(PROVIDER)
            whose = f"{PROVIDER}{provider.slug}" if of_provider else one.subject or "the site"
            return (
                f"the budget of {whose} for the {one.period} since {one.starts_on} has no room for "
                f"{plain(Decimal(amount))} yuan: {plain(spent)} of {plain(one.amount)} are spent"
            )
    return ""


def _rows(found: Sequence[Ceiling], *, locked: bool = False, but: Sequence[Message] = ()) -> dict[Key, Spending]:
    """The rows of these budgets, made where they are missing; a new one has what was spent before, without `but`."""
    rows = _read(found, locked=locked)
    if missing := {one.key: one for one in found if one.key not in rows}:
        new = [
            Spending(subject=one.subject, period=one.period, starts_on=one.starts_on, spent=_spent_before(one, but))
            for one in missing.values()
        ]
        Spending.objects.bulk_create(new, ignore_conflicts=True)
        rows = _read(found, locked=locked)
    return rows


def moments_of(period: Period, starts_on: date) -> tuple[datetime, datetime]:
    """Returns the first moment of a period, and that of the next one."""
    first_of_next = (starts_on.replace(day=1) + timedelta(days=32)).replace(day=1)
    last = starts_on if period == Period.DAY else first_of_next - timedelta(days=1)
    days = days_between(starts_on, last)
    return days[0].starts_at, days[-1].ends_at


def _read(found: Sequence[Ceiling], *, locked: bool) -> dict[Key, Spending]:
    subjects, starts = {one.subject for one in found}, {one.starts_on for one in found}
    rows = Spending.objects.filter(starts_on__in=starts, subject__in=subjects).order_by("pk")
    if locked:
        rows = rows.select_for_update()
    return {(row.subject, row.period, row.starts_on): row for row in rows}


def _count(messages: Sequence[Message], rows: Sequence[Spending]) -> None:
    amount = sum(map(amount_of, messages), Decimal(0))
    Spending.objects.filter(pk__in=[row.pk for row in rows]).update(spent=F("spent") + amount)
    for row in rows:
        row.spent += amount
    counted_in = " ".join(str(row.pk) for row in rows)
    if stored := [message for message in messages if not message._state.adding]:
        Message.objects.of(*stored).update(counted_in=counted_in)
    for message in messages:
        message.counted_in = counted_in


def _spent_before(ceiling: Ceiling, but: Sequence[Message]) -> Decimal:
    """What the messages of a period cost that is not counted yet, as when its budget was set just now."""
    since, until = moments_of(ceiling.period, ceiling.starts_on)
    sent = Message.objects.filter(created_at__gte=since - LONGEST_QUEUE, claimed_at__gte=since, claimed_at__lt=until)
    sent = sent.filter(price__isnull=False)
    sent = sent.exclude(status__in=NOT_COUNTED).exclude(pk__in=[message.pk for message in but])
    kind, _, value = ceiling.subject.rpartition(":")
    if kind:
        sent = sent.filter(**{kind: value})
    groups = sent.order_by().values_list("price").annotate(Sum("segments"))
    # In Python: SQLite would add floats. MySQL returns the sum of integers as a Decimal.
    return sum((price * int(segments) for price, segments in groups), Decimal(0))
