"""The lists of the site: numbers, blocks, networks and regions that are refused, challenged or allowed."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from ipaddress import ip_address, ip_network
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from django_smsverify import phones
from django_smsverify.addresses import unwrapped
from django_smsverify.carriers.blocks import is_virtual
from django_smsverify.conf import conf, is_region
from django_smsverify.enums import ListAction, ListKind, Refused, Scope
from django_smsverify.exceptions import PhoneNotSupported, Throttled
from django_smsverify.models import ListEntry
from django_smsverify.models.statements import find_listed_kinds

from .cache import digest
from .kept import Kept
from .refusals import record

HOUR = 3600
CHUNK_SIZE = 500
"""Entries in one statement."""
SCOPES = {ListKind.NUMBER: Scope.PHONE, ListKind.BLOCK: Scope.PREFIX, ListKind.NETWORK: Scope.IP}
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


def judge(phone: str, purpose: str, ip: str | None) -> ListAction | None:
    """Returns whether a request is allowed or challenged by an entry, or by NUMBER_KINDS; None for neither.

    Raises Throttled for who is refused, like somebody whose limit is used up, and PhoneNotSupported for a region or
    kind of numbers that is; the refusal is stored.
    """
    try:
        return _judge(phone, ip)
    except (PhoneNotSupported, Throttled) as error:
        record(phone, purpose, Refused.LISTED if isinstance(error, Throttled) else Refused.NOT_SUPPORTED)
        raise


def _judge(phone: str, ip: str | None) -> ListAction | None:
    entry = find_entry(phone, ip)
    if entry is None:
        return _by_kind(phone)
    if entry.action != ListAction.BLOCK:
        return ListAction(entry.action)
    if entry.kind == ListKind.REGION:
        raise PhoneNotSupported
    raise Throttled(SCOPES[ListKind(entry.kind)], plausible_wait(phone), because=Refused.LISTED)


def _by_kind(phone: str) -> ListAction | None:
    kinds = conf.NUMBER_KINDS
    kind = kinds and ("virtual" if is_virtual(phone) else "foreign" if phones.region(phone) != conf.REGIONS[0] else "")
    action = kinds.get(kind) if kind else None
    if action == "refuse":
        raise PhoneNotSupported
    return ListAction.CHALLENGE if action == "challenge" else None


def plausible_wait(phone: str) -> int:
    """Seconds that become fewer as for a limit that is used up; nobody can tell from them that it always will be."""
    period = min((limit.seconds for limit in conf.PHONE_LIMITS), default=HOUR)
    offset = int(digest(Scope.PHONE, f"listed:{phone}")[:8], 16)
    return period - int(time.time() + offset) % period


def entry_of(kind: ListKind, written: str, **fields: Any) -> ListEntry:
    """Returns a new entry about what people wrote, such as `13800138000`, `1380013`, `203.0.113.7` or `hk`.

    Raises ValueError, whose text is for people, or what `phones.parse` raises.
    """
    subject, length = _PARSERS[kind](written.strip())
    return ListEntry(kind=kind, subject=subject, length=length, **fields)


def store(entries: Sequence[ListEntry], *, added_by: str) -> int:
    """Stores new entries in place of those about the same, and returns how many there are."""
    for start in range(0, len(entries), CHUNK_SIZE):
        chunk = entries[start : start + CHUNK_SIZE]
        for entry in chunk:
            entry.added_by = added_by
        with transaction.atomic(ListEntry.objects.db):
            old = ListEntry.objects.filter(kind=chunk[0].kind, subject__in=[entry.subject for entry in chunk])
            old.delete()
            ListEntry.objects.bulk_create(chunk, ignore_conflicts=True)
    lengths.forget()
    return len(entries)


def _number(text: str) -> tuple[str, int]:
    phone = phones.parse(text)
    return phone, len(phone)


def _block(text: str) -> tuple[str, int]:
    digits = text.removeprefix("+")
    if not (digits.isascii() and digits.isdecimal() and 2 <= len(digits) <= 12):
        raise ValueError(_("A block is the first digits of a number, such as 1380013 or +852."))
    is_national = not text.startswith("+") and conf.REGIONS[0] == "CN"
    block = f"+86{digits}" if is_national else f"+{digits}"
    return block, len(block)


def _network(text: str) -> tuple[str, int]:
    try:
        network = ip_network(text, strict=False)
    except ValueError:
        raise ValueError(_("A network is an address, or one such as 203.0.113.0/24 or 2001:db8::/48.")) from None
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
