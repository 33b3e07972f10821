"""The lists of the site: numbers, blocks, networks and regions that are refused, challenged or allowed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Any

from django.db import connections, transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from django_smsverify import phones
from django_smsverify.addresses import unwrapped
from django_smsverify.carriers.blocks import is_virtual
from django_smsverify.conf import Limit, conf, is_region
from django_smsverify.enums import ListAction, ListKind, Refused, Scope
from django_smsverify.exceptions import PhoneNotSupported, Throttled
from django_smsverify.masked import PerNumber
from django_smsverify.models import ListEntry
from django_smsverify.models.kept import Kept
from django_smsverify.models.statements import find_listed_kinds

from .cache import digest
from .refusals import record

WHY = gettext_noop("the number is on the block list")
"""Stored with a notice that is not sent."""
HOUR = 3600
CHUNK_SIZE = 500
"""Entries, or numbers, in one statement."""
LIMITS: dict[ListKind, tuple[Scope, Callable[[], Sequence[Limit]]]] = {
    ListKind.NUMBER: (Scope.PHONE, lambda: conf.PHONE_LIMITS),
    ListKind.BLOCK: (Scope.PREFIX, lambda: conf.PREFIX_LIMITS),
    ListKind.NETWORK: (Scope.IP, lambda: conf.IP_LIMITS),
}
"""The limit that a refusal is told as."""


def _load() -> dict[str, set[int]]:
    """The kinds of which there are entries, with the lengths of their subjects."""
    found: dict[str, set[int]] = {}
    for kind, length in find_listed_kinds(now=timezone.now()):
        found.setdefault(kind, set()).add(length)
    return found


lengths = Kept(ListEntry, _load)


def find_entry(phone: str, ip: str | None) -> ListEntry | None:
    """Returns the most specific live entry about a number, its block, the client's networks and its region.

    Without any entry that could be about them, the database is not asked.
    """
    subjects = list(_subjects(phone, ip))
    if not subjects:
        return None
    found = ListEntry.objects.live().filter(subject__in=[subject for _, subject in subjects])
    by_subject = {(entry.kind, entry.subject): entry for entry in found}
    return next((by_subject[one] for one in subjects if one in by_subject), None)


def blocked(numbers: Iterable[str]) -> PerNumber[ListEntry]:
    """Returns those of these numbers that are refused by themselves, each with its entry.

    Without any entry about a number, the database is not asked.
    """
    every, found = list(dict.fromkeys(numbers)), PerNumber[ListEntry]()
    if not every or ListKind.NUMBER not in lengths.get():
        return found
    refused = ListEntry.objects.live().filter(kind=ListKind.NUMBER, action=ListAction.BLOCK)
    for start in range(0, len(every), CHUNK_SIZE):
        for entry in refused.filter(subject__in=every[start : start + CHUNK_SIZE]):
            found[entry.subject] = entry
    return found


def _subjects(phone: str, ip: str | None) -> Iterator[tuple[str, str]]:
    """What an entry may be about, the most specific first."""
    known = lengths.get()
    if ListKind.NUMBER in known:
        yield ListKind.NUMBER, phone
    for length in sorted(known.get(ListKind.BLOCK, ()), reverse=True):
        yield ListKind.BLOCK, phone[:length]
    address = unwrapped(ip_address(ip)) if ip else None
    for length in sorted(known.get(ListKind.NETWORK, ()), reverse=True):
        if address and length <= address.max_prefixlen:
            yield ListKind.NETWORK, str(ip_network((str(address), length), strict=False))
    if ListKind.REGION in known:
        yield ListKind.REGION, phones.region(phone)


def judge(phone: str, purpose: str, ip: str | None) -> ListAction | Throttled | None:
    """Returns whether a request is allowed or challenged by an entry, or by NUMBER_KINDS; None for neither.

    Who is refused gets the error that `admission` raises in its turn: like somebody whose limit is used up. Raises
    PhoneNotSupported, which is stored, for a region or kind of numbers that is refused.
    """
    entry = find_entry(phone, ip)
    if entry is not None and entry.action != ListAction.BLOCK:
        return ListAction(entry.action)
    if entry is not None and entry.kind != ListKind.REGION:
        return _refusal(entry)
    if entry is not None or _action_of_kind(phone) == "refuse":
        record(phone, purpose, Refused.NOT_SUPPORTED)
        raise PhoneNotSupported
    return ListAction.CHALLENGE if _action_of_kind(phone) == "challenge" else None


def refuse_blocked(phone: str) -> None:
    """Raises Throttled for a number that is refused by itself."""
    for entry in blocked([phone]).values():
        raise _refusal(entry)


def _refusal(entry: ListEntry) -> Throttled:
    scope, limits = LIMITS[ListKind(entry.kind)]
    return Throttled(scope, plausible_wait(entry.subject, limits()), because=Refused.LISTED)


def _action_of_kind(phone: str) -> str:
    """What NUMBER_KINDS says of a number."""
    kinds = conf.NUMBER_KINDS
    if not kinds:
        return ""
    is_foreign = phones.region(phone) != conf.REGIONS[0]
    return kinds.get("virtual" if is_virtual(phone) else "foreign" if is_foreign else "", "")


def plausible_wait(subject: str, limits: Sequence[Limit]) -> int:
    """Seconds that become fewer as for a limit that is used up; nobody can tell from them that it always will be."""
    period = min((limit.seconds for limit in limits), default=HOUR)
    offset = int(digest(Scope.PHONE, f"listed:{subject}")[:8], 16)
    return period - int(time.time() + offset) % period


def entry_of(kind: ListKind, written: str, **fields: Any) -> ListEntry:
    """Returns a new entry about what people wrote, such as `13800138000`, `1380013`, `203.0.113.7` or `hk`.

    Raises ValueError, whose text is for people, or what `phones.parse` raises.
    """
    subject, length = _PARSERS[kind](written.strip())
    return ListEntry(kind=kind, subject=subject, length=length, **fields)


def store(entries: Sequence[ListEntry], *, added_by: str) -> int:
    """Stores entries, in place of those about the same, and returns how many there are."""
    rows = ListEntry.objects.all()
    names = ["action", "expires_at", "note", "added_by", "created_at"]
    has_target = connections[rows.db].features.supports_update_conflicts_with_target
    for entry in entries:
        entry.added_by = added_by
    rows.bulk_create(
        entries,
        batch_size=CHUNK_SIZE,
        update_conflicts=True,
        update_fields=names,
        unique_fields=["subject", "kind"] if has_target else None,
    )
    transaction.on_commit(lengths.forget, using=rows.db)
    return len(entries)


def _number(text: str) -> tuple[str, int]:
    phone = phones.parse(text)
    return phone, len(phone)


def _block(text: str) -> tuple[str, int]:
    digits = text.removeprefix("+")
    if not (digits.isascii() and digits.isdecimal() and 2 <= len(digits) <= 12):
        raise ValueError(_("A block is the first digits of a number, such as 1380013 or +852."))
    own = _country_code(conf.REGIONS[0])
    # No Chinese mobile number begins with the country's own code.
    has_code = text.startswith("+") or (own == "86" and digits.startswith(own))
    block = f"+{digits}" if has_code else f"+{own}{digits}"
    return block, len(block)


def _country_code(region: str) -> str:
    if region == "CN":
        return "86"
    from phonenumbers import country_code_for_region

    return str(country_code_for_region(region))


def _network(text: str) -> tuple[str, int]:
    try:
        network = ip_network(text, strict=False)
        address, length = network.network_address, network.prefixlen
        plain = unwrapped(address)
        if plain is not address and plain.version == 4:  # as clients are counted
            length = min(32, length - (16 if isinstance(address, IPv6Address) and address.sixtofour else 96))
            network = ip_network((str(plain), length), strict=False)
    except ValueError:
        raise ValueError(_("A network is an address, or one such as 203.0.113.0/24 or 2001:db8::/48.")) from None
    if "%" in text:
        raise ValueError(_("A network is an address, or one such as 203.0.113.0/24 or 2001:db8::/48."))
    return str(network), network.prefixlen


def _region(text: str) -> tuple[str, int]:
    region = text.upper()
    if not is_region(region):
        raise ValueError(_("A region has two letters, such as HK."))
    return region, len(region)


_PARSERS = {
    ListKind.NUMBER: _number,
    ListKind.BLOCK: _block,
    ListKind.NETWORK: _network,
    ListKind.REGION: _region,
}
