"""manage.py smsverify_lint [signature:ID | template:ID ...] [--provider SLUG] [--json]: checks texts."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from django.core.management.base import CommandError, no_translations

from django_smsverify.conf import conf
from django_smsverify.exceptions import InvalidGateway
from django_smsverify.linting import Finding, Level, lint_content, lint_signature, marked
from django_smsverify.linting.findings import printable
from django_smsverify.management.naming import providers_named
from django_smsverify.management.terminal import TerminalCommand
from django_smsverify.models import Signature, Template
from django_smsverify.models.gateway_classes import gateway_class

ROWS = {"signature": Signature, "template": Template}


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One text and its findings."""

    row: str
    """Such as template:12; empty for a text that is not stored."""
    provider: str
    """The slug, or the alias of a gateway."""
    status: str = ""
    text: str
    findings: list[Finding]


class Command(TerminalCommand):
    help = (
        "Says what the vendors would refuse in the stored signatures and templates, or in a text before it is "
        "stored. Exits with 1 when there are errors: what is refused for certain."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("rows", nargs="*", metavar="ROW", help="such as template:12 or signature:3; default: all")
        parser.add_argument("--provider", metavar="SLUG", help="of this provider only")
        parser.add_argument("--json", action="store_true", help="for machines; offsets as Python slices")
        parser.add_argument("--text", help="judge this text, which is not stored (\\n: a new line)")
        parser.add_argument("--signature", help="the sender name, judged and counted")
        parser.add_argument("--gateway", metavar="ALIAS", help="by whose rules, such as topthink")

    @no_translations
    def handle(self, *args: Any, **options: Any) -> None:
        is_draft = options["text"] is not None or options["signature"] is not None
        if is_draft and (options["rows"] or options["provider"] or not options["gateway"]):
            raise CommandError("--text and --signature go with --gateway, and not with stored rows.")
        if options["gateway"] and not is_draft:
            raise CommandError("--gateway goes with --text or --signature.")
        judged = list(drafts(**options) if is_draft else stored(options["rows"], options["provider"]))
        if options["json"]:
            self.stdout.write(json.dumps([asdict(one) for one in judged], indent=2))
        else:
            for one in judged:
                self.stdout.write("\n".join(lines(one)))
        errors = sum(finding.level is Level.ERROR for one in judged for finding in one.findings)
        if errors:
            raise CommandError(f"Errors: {errors}. The vendors refuse that for certain.")


def drafts(*, text: str | None, signature: str | None, gateway: str, **options: Any) -> Iterator[Judged]:
    """Checks texts that are not stored; raises CommandError for an unknown gateway."""
    try:
        rules = gateway_class(gateway).rules_for({})
    except InvalidGateway as error:
        raise CommandError(str(error)) from None
    if signature is not None:
        yield Judged(row="", provider=gateway, text=signature, findings=lint_signature(signature, rules))
    if text is not None:
        text = text.replace("\\n", "\n")
        found = lint_content(text, rules, signature=signature or "", code_length=conf.CODE_LENGTH)
        yield Judged(row="", provider=gateway, text=text, findings=found)


def stored(names: list[str], slug: str | None) -> Iterator[Judged]:
    """Checks these rows, or all, of one provider or all; raises CommandError for unknown ones."""
    providers_named([slug] if slug else [])
    wanted = {kind: ids_of(kind, names) for kind in ROWS}
    unread = [name for name in names if name not in {f"{kind}:{pk}" for kind in ROWS for pk in wanted[kind]}]
    if unread:
        raise CommandError(f"{', '.join(unread)}: name rows as template:12 or signature:3.")
    for kind, model in ROWS.items():
        related = ["provider"] if model is Signature else ["provider", "signature"]
        rows: Any = model._default_manager.select_related(*related).order_by("pk")
        rows = rows.filter(provider__slug=slug) if slug else rows
        rows = list(rows.filter(pk__in=wanted[kind]) if names else rows)
        missing = wanted[kind] - {row.pk for row in rows}
        if missing:
            raise CommandError(f"There is no {kind} {', '.join(map(str, sorted(missing)))}.")
        yield from (judged(kind, row) for row in rows)


def ids_of(kind: str, names: list[str]) -> set[int]:
    """The ids of one kind, in names such as template:12."""
    found = [name.removeprefix(f"{kind}:") for name in names if name.startswith(f"{kind}:")]
    return {int(pk) for pk in found if pk.isascii() and pk.isdecimal() and len(pk) < 19}


def judged(kind: str, row: Signature | Template) -> Judged:
    """Checks a stored row."""
    text = row.text if isinstance(row, Signature) else row.content
    name = f"{kind}:{row.pk}"
    return Judged(row=name, provider=row.provider.slug, status=row.status, text=text, findings=row.lint())


def lines(one: Judged) -> Iterator[str]:
    """The text, and below it each finding with its place."""
    yield f"{' '.join(filter(None, [one.row, one.provider, one.status]))}  {printable(one.text)}"
    for finding in one.findings:
        place = marked(one.text, finding)
        yield f"  {finding.level:<8}{finding.rule:<13}{place}{'  ' if place else ''}{finding.message}"
    if not one.findings:
        yield "  nothing found"
