"""What the doctor has found, as lines of text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from django.utils.translation import gettext as _

from django_smsverify.diagnosis.findings import Finding, State
from django_smsverify.operations.doctor import Examination, PurposeState, WayOfCodes, examine_purposes


def lines_of(found: Examination) -> Iterator[str]:
    """The examination as lines of text."""
    yield from _lines(found.site)
    for provider, findings in found.providers.items():
        yield f"{provider.slug} ({provider.gateway})" + ("" if findings else f": {State.OK.label}")
        yield from _lines(findings, "  ")
    for state in found.purposes:
        yield f"{state.purpose}: {_ready(state)}"
        for way in state.ways:
            yield f"  {way.template.provider.slug} · {way.template.name}: {_ready(way)}"
            yield from _lines(way.lacks, "    ")
    if not found.purposes:
        yield _("No template has {code}: no code can be sent. Add one in the admin, or by smsverify_setup.")


def _ready(state: PurposeState | WayOfCodes) -> str:
    return _("ready") if state.is_ready else _("no code goes out")


def _lines(findings: Sequence[Finding], indent: str = "") -> Iterator[str]:
    for finding in findings:
        yield f"{indent}[{finding.state.label}] {finding.subject}: {finding.words}"
        if finding.advice:
            yield f"{indent}    -> {finding.advice}"
        if finding.command:
            yield f"{indent}    $ {finding.command}"


def lines_on(purpose: str) -> Iterator[str]:
    """What lacks so that codes of one purpose go out, as lines; nothing for a purpose without a template."""
    found = examine_purposes().only(purpose)
    yield from lines_of(found) if found.purposes else ()
