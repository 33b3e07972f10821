"""manage.py smsverify_explain PHONE: says what happened to a number, and what to do."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Iterator
from typing import Any

from django.core.management.base import CommandError
from django.utils import translation
from django.utils.translation import gettext as _

from django_smsverify import phones
from django_smsverify.exceptions import SMSVerifyError
from django_smsverify.journal.finding import Candidate, find
from django_smsverify.journal.story import DAYS, MOST_DAYS, Story, days_back, tell
from django_smsverify.journal.words import moment
from django_smsverify.management.terminal import TerminalCommand


class Command(TerminalCommand):
    help = (
        "Says how it ended, and in a sentence for each attempt, newest first, what happened to a number: who refused "
        "it, what vendor and carrier said, what was tried next, whether the code was entered, and what to do. Never "
        "prints a code or a whole number."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "whom",
            metavar="PHONE",
            help="a number, its last four digits, a message's id at the vendor, or the id of a verification or message",
        )
        parser.add_argument("--days", type=int, default=DAYS, help=f"how far back; default {DAYS}, at most {MOST_DAYS}")
        parser.add_argument("--language", help="such as en or zh-hans; default: LANGUAGE_CODE")

    def handle(self, *args: Any, **options: Any) -> None:
        language, days = options["language"] or translation.get_language() or "en", options["days"]
        if not translation.check_for_language(language):
            raise CommandError(f"There is no language {language!r}; try en or zh-hans.")
        if not 1 <= days <= MOST_DAYS:
            raise CommandError(f"--days is {days}; use 1 to {MOST_DAYS}.")
        with translation.override(language):
            for line in _lines(options["whom"], days):
                self.stdout.write(line)


def _lines(whom: str, days: int) -> Iterator[str]:
    try:
        found = find(whom, days)
    except SMSVerifyError as error:
        raise CommandError(f"{phones.masked(whom)}: {error} ({error.code})") from None
    if len(found) == 1:
        yield from _told(tell(found[0].phone, days_back(found[0].last_at, days)))
    else:
        yield from _listed(found, days)


def _told(story: Story) -> Iterator[str]:
    yield story.title
    yield f"  {story.conclusion.words}"
    for step in story.conclusion.steps:
        yield f"    -> {step.words}"
    yield ""
    for words in story.present:
        yield f"  {words}"
    for entry in story.entries:
        yield f"\n{moment(entry.at)}  {entry.sentence}"
        yield f"    -> {entry.advice}"
    if story.is_cut:
        yield "\n" + _("Older attempts are left out.")


def _listed(found: list[Candidate], days: int) -> Iterator[str]:
    if not found:
        yield _("No number with these last digits was used in the last %d days.") % days
        return
    yield _("Several numbers may be meant; ask again with the id of one of them:")
    for one in found:
        yield f"  {one.masked}  {moment(one.last_at) if one.last_at else ''}  {one.id}"
