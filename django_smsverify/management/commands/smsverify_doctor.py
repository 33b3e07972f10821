"""manage.py smsverify_doctor [PURPOSE|PROVIDER]: says what lacks so that codes go out, and what to do."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from collections.abc import Sequence
from typing import Any

from django.core.management.base import CommandError

from django_smsverify.conf import conf
from django_smsverify.diagnosis.findings import Finding, State
from django_smsverify.management.examined import lines_of
from django_smsverify.management.terminal import TerminalCommand
from django_smsverify.models import Provider, Template
from django_smsverify.operations.doctor import Examination, WayOfCodes, examine_purposes


class Command(TerminalCommand):
    help = (
        "Says for each purpose whether codes go out, by which providers, and what the others lack; and what is to be "
        "corrected of the site around them. It reads what is stored, asks no vendor, sends and changes nothing: "
        "smsverify_check asks a vendor. The exit status is 1 when something is wrong."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("whom", nargs="?", metavar="PURPOSE|PROVIDER", help="only this purpose, or this provider")
        parser.add_argument("--format", choices=("text", "json"), default="text", help="default: text")

    def handle(self, *args: Any, whom: str | None, **options: Any) -> None:
        found = examination_of(whom)
        if options["format"] == "json":
            self.stdout.write(json.dumps(as_data(found), indent=2, ensure_ascii=False))
        else:
            for line in lines_of(found):
                self.stdout.write(line)
        if found.is_wrong:
            raise CommandError(f"Something is wrong: {', '.join(wrong_subjects(found))}")


def examination_of(whom: str | None) -> Examination:
    """What is found of all, of one provider, or of the ways of one purpose; raises CommandError for an unknown name."""
    provider = Provider.objects.filter(slug=whom).first() if whom else None
    found = examine_purposes(provider)
    if provider is not None or whom is None:
        return found
    of_purpose = found.only(whom)
    if not of_purpose.purposes:
        raise CommandError(_why_nothing_is_found(whom, found))
    return of_purpose


def _why_nothing_is_found(whom: str, found: Examination) -> str:
    """That no code can be sent for what may be a purpose, and what to do, or that it is none."""
    todo = "add one in the admin under Templates, or by smsverify_setup"
    if Template.objects.filter(purpose=whom).exists():
        return f"The templates of the purpose {whom} have no {{code}}, so no code can be sent for it: {todo}."
    if whom in conf.PURPOSES:
        return f"No template has the purpose {whom}, which is in PURPOSES, so no code can be sent for it: {todo}."
    known = [*(one.slug for one in found.providers), *(state.purpose for state in found.purposes)]
    return (
        f"No template has the purpose {whom}, so no code can be sent for it, and no provider is called so. If your "
        f"pages ask for it: {todo}; else compare with what there is: {', '.join(known) or 'nothing'}."
    )


def wrong_subjects(found: Examination) -> list[str]:
    """What is wrong, each by a word or two."""
    subjects = [str(finding.subject) for finding in found.site if finding.state == State.WRONG]
    for provider, findings in found.providers.items():
        subjects += [f"{provider.slug} {one.subject}" for one in findings if one.state == State.WRONG]
    used = [one for state in found.purposes for way in state.ways if way.is_ready for one in way.lacks]
    subjects += [str(one.subject) for one in used if one.state == State.WRONG]
    return list(dict.fromkeys([*subjects, *(state.purpose for state in found.purposes if not state.is_ready)]))


def as_data(found: Examination) -> dict[str, Any]:
    """The examination as JSON can hold it."""
    purposes = [
        {"purpose": state.purpose, "ready": state.is_ready, "ways": [_way_as_data(way) for way in state.ways]}
        for state in found.purposes
    ]
    providers = [{"provider": one.slug, "findings": _as_data(found.providers[one])} for one in found.providers]
    return {"wrong": found.is_wrong, "site": _as_data(found.site), "providers": providers, "purposes": purposes}


def _way_as_data(way: WayOfCodes) -> dict[str, Any]:
    return {
        "provider": way.template.provider.slug,
        "template": way.template.name,
        "ready": way.is_ready,
        "findings": _as_data(way.lacks),
    }


def _as_data(findings: Sequence[Finding]) -> list[dict[str, str]]:
    return [
        {
            "state": finding.state.value,
            "subject": str(finding.subject),
            "words": str(finding.words),
            "advice": str(finding.advice),
            **({"command": finding.command} if finding.command else {}),
        }
        for finding in findings
    ]
