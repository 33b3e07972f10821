"""Checks of template contents in the neutral syntax, without the sender name."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from itertools import islice

from django.utils.translation import gettext as _

from django_smsverify import texts

from . import carrier_rules, wording
from .addresses import addresses
from .characters import emoji, hidden
from .contacts import contacts
from .drafts import Draft
from .findings import MOST, Finding, Level, at, ranked
from .origins import lint_origin
from .rules import TextRules
from .topics import TRADES, topics_in
from .traditional import traditional

Check = Callable[[Draft], Iterator[Finding]]

BRACKETED = re.compile(r"【[^【】]*】|[【】]")
VARIABLE = re.compile(r"【变量[0-9]*】")
STRAY = re.compile(r"[{｛][^{}｛｝\s]{0,40}[}｝]|[{}｛｝]")
OTHERS = re.compile(r"\$(?=\{[A-Za-z_])|#[A-Za-z_]+#")
"""Placeholders in vendors' own syntax: ${code}, #code#."""
LONGEST_CODE = 6
"""The most digits of a code that vendors in mainland China are known to take."""


def lint_content(
    content: str,
    rules: TextRules | None = None,
    *,
    signature: str = "",
    variables: Mapping[str, str] | None = None,
    code_length: int | None = None,
) -> list[Finding]:
    """What a vendor with these rules would refuse in a content, the most severe first.

    `signature` is the sender name without brackets, for rules that count it; `variables` maps our names of
    placeholders to the vendor's; `code_length` are the digits of the codes.
    """
    draft = Draft(content, rules or TextRules(), signature, variables or {}, code_length)
    if not content.strip():
        return [at(None, Level.ERROR, "empty", _("Write the text."))]
    checks = (*CHECKS, *(MAINLAND if draft.rules.for_mainland else (_origin,)))
    found = [finding for check in checks for finding in check(draft)]
    return ranked([*found, *hidden(content), *emoji(content, draft.rules.refuses_emoji)])


def _brackets(draft: Draft) -> Iterator[Finding]:
    for found in islice(BRACKETED.finditer(draft.content), MOST):
        if VARIABLE.fullmatch(found.group()):
            message = _("Write a placeholder as {code}; the vendor's own way of writing it is not needed here.")
        elif found.start() == 0:
            message = _("Leave the sender name out: it is chosen beside the text and put in front of it.")
        else:
            message = _(
                "Only a sender name may stand in 【】; a vendor takes this for one. Use other brackets, such as “”."
            )
        yield at(found.span(), Level.ERROR, "brackets", message)


def _braces(draft: Draft) -> Iterator[Finding]:
    """Braces that are not a placeholder, and placeholders in a vendor's own syntax."""
    masked = texts.PLACEHOLDER.sub(lambda found: "\0" * len(found.group()), draft.content)
    for found in islice(STRAY.finditer(masked), MOST):
        message = _("Write placeholders as {name}: letters, digits and underscores.")
        yield at(found.span(), Level.ERROR, "braces", message)
    for found in OTHERS.finditer(draft.content):
        message = _("Write a placeholder as {code}; the vendor's own way of writing it is not needed here.")
        yield at(found.span(), Level.WARNING, "syntax", message)


def _names(draft: Draft) -> Iterator[Finding]:
    rules = draft.rules
    for found in texts.PLACEHOLDER.finditer(draft.content):
        name = draft.variables.get(found.group(1), found.group(1))
        if name in rules.reserved_names:
            message = _("The vendor keeps the name %(name)s for itself. Use another, here or under “variables”.")
        elif rules.variable_name and not re.fullmatch(rules.variable_name, name):
            message = _("The vendor takes %(allowed)s in a variable's name, not %(name)s. Change it under “variables”.")
        else:
            continue
        facts = {"name": name, "allowed": rules.variable_names_are}
        yield at(found.span(), Level.ERROR, "name", message % facts)


def _variables(draft: Draft) -> Iterator[Finding]:
    rules, names = draft.rules, draft.names
    if rules.most_variables is not None and len(set(names)) > rules.most_variables:
        facts = {"most": rules.most_variables, "count": len(set(names))}
        message = _("The vendor takes at most %(most)d variables in a text; these are %(count)d.") % facts
        yield at(None, Level.ERROR, "variables", message)
    if rules.exact_variables is not None and len(names) != rules.exact_variables:
        facts = {"exact": rules.exact_variables, "count": len(names)}
        message = _("The vendor's texts have exactly %(exact)d placeholder; this one has %(count)d.") % facts
        yield at(None, Level.ERROR, "variables", message)
    if rules.value_pattern and names and "code" not in names:
        message = _("The vendor fills in codes only: write a text with {code} and no other placeholder.")
        yield at(None, Level.WARNING, "variables", message)


def _code_length(draft: Draft) -> Iterator[Finding]:
    """Aliyun's and Tencent's code variables have at most six digits; of other vendors in China nothing is known."""
    length, longest = draft.code_length or 0, draft.rules.longest_code
    if not draft.carries_code or length <= (longest or LONGEST_CODE):
        return
    message = _("Codes have %(length)d digits here (CODE_LENGTH); the vendor takes at most %(longest)d.")
    if longest is None:
        message = _("Codes have %(length)d digits here (CODE_LENGTH): ask the vendor whether it takes more than six.")
    if longest is not None or draft.rules.for_mainland:
        level = Level.WARNING if longest is None else Level.ERROR
        yield at(None, level, "code_length", message % {"length": length, "longest": longest})


def _length(draft: Draft) -> Iterator[Finding]:
    whole = texts.signed(draft.signature, draft.shortest)
    rules, length = draft.rules, len(whole if draft.rules.counts_signature else draft.shortest)
    for limit, level in ((rules.longest, Level.ERROR), (rules.safe_length, Level.WARNING)):
        if limit is not None and length > limit:
            message = _("The vendor takes %(limit)d characters; these are at least %(length)d. Shorten the text.")
            if level is Level.WARNING:
                message = _("Older accounts may send %(limit)d characters; these are at least %(length)d.")
            yield at(None, level, "length", message % {"limit": limit, "length": length})
            break
    count = texts.segments(whole, gsm7=rules.counts_gsm7)
    if count > 1:
        holds = texts.GSM7_WHOLE_SEGMENT if rules.counts_gsm7 and texts.in_gsm7(whole) else texts.WHOLE_SEGMENT
        facts = {"count": count, "length": len(whole), "whole": holds}
        message = _("Billed as %(count)d SMS or more: at least %(length)d characters; one SMS holds %(whole)d.") % facts
        yield at(None, Level.HINT, "segments", message)


def _urls(draft: Draft) -> Iterator[Finding]:
    """Missing blanks around an address; no advice where the carriers refuse it altogether."""
    if draft.rules.for_mainland and not draft.rules.spaced_urls:
        return
    level = Level.WARNING if draft.rules.spaced_urls else Level.HINT
    for one in addresses(draft.plain, draft.raw):
        start, end = draft.span(one.place)
        before, after = draft.content[:start][-1:], draft.content[end:][:1]
        if (before + after).strip() and one.is_domain and not draft.in_origin(one.place):
            message = _(
                "Put a space before and after an address: some phones take the words beside it for a part of it."
            )
            yield at((start, end), level, "url", message)


def _topics(draft: Draft) -> Iterator[Finding]:
    # Offers have a rule of their own there.
    topics = draft.rules.topics - ({"marketing"} if draft.rules.for_mainland else set())
    for topic, *place in topics_in(draft.plain, topics):
        if topic.codes_allowed and draft.carries_code:
            continue
        if topic.word == "contact" and draft.rules.for_mainland and _names_contact(draft, place):
            continue
        message = _("This sounds like %s, which reviewers and carriers hold back. Say it otherwise or leave it out.")
        if topic.word in TRADES:
            message = _("Senders in this trade (%s) may send verification codes only: a notice will be refused.")
        yield draft.at((place[0], place[1]), Level.WARNING, topic.word, message % topic.label)


def _names_contact(draft: Draft, place: list[int]) -> bool:
    """Whether a contact itself, which has a finding of its own, begins inside the words that ask for it."""
    return any(place[0] <= start < place[1] for start, _end in contacts(draft.plain))


def _unwelcome(draft: Draft) -> Iterator[Finding]:
    for word in draft.rules.unwelcome:
        if word in draft.content:
            start, message = draft.content.index(word), _("This vendor wants no text with %s, not even while you try.")
            yield at((start, start + len(word)), Level.WARNING, "unwelcome", message % word)


def _origin(draft: Draft) -> Iterator[Finding]:
    once = draft.rules.exact_variables == 1
    return lint_origin(draft.content, draft.origin, carries_code=draft.carries_code, once=once)


MAINLAND: tuple[Check, ...] = (*carrier_rules.CHECKS, *wording.CHECKS, traditional)
CHECKS: tuple[Check, ...] = (_brackets, _braces, _names, _variables, _code_length, _length, _urls, _topics, _unwelcome)
