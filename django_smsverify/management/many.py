"""Bulk sending from a file, for the command `smsverify_send`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import CommandError, OutputWrapper
from django.db.models import Q

from django_smsverify.exceptions import SMSVerifyError
from django_smsverify.models import Template
from django_smsverify.phones import mask
from django_smsverify.sending import BulkResult, number_list, send_bulk
from django_smsverify.sending.number_list import (
    Estimate,
    NumberList,
    Recipients,
    UnreadableList,
    batch_name,
    estimate,
    unsent,
)

from .terminal import progress_bar, stoppable


def send_file(out: OutputWrapper, options: Mapping[str, Any]) -> None:
    """Sends and prints the result; raises CommandError unless all numbers were sent to for certain."""
    template = _template(options["template"])
    found = _read(options["file"], template)
    for problem in found.problems:
        out.write(str(problem))
    if found.problems and not options["skip_bad"]:
        raise CommandError("Nothing is sent: correct these lines, or leave them out with --skip-bad.")
    if options["unsent_of"]:
        found.recipients = unsent(found.recipients, options["unsent_of"])
    batch = _batch_name(template, found.recipients, options)
    expected = estimate(template, found.recipients, batch)
    _write_summary(out, template, expected, batch)
    if options["dry_run"]:
        return
    if not (options["batch"] or options["again"]):
        _refuse_repetition(expected)
    _report(out, _send(template, found.recipients, batch), len(found.recipients))


def _template(named: str) -> Template:
    """Finds a template by id or name."""
    every = Template.objects.select_related("provider", "signature")
    found = list(every.filter(Q(name=named) | Q(pk=int(named)) if named.isdecimal() else Q(name=named)))
    if len(found) == 1:
        return found[0]
    if found:
        ids = ", ".join(f"{template.pk} ({template.provider})" for template in found)
        raise CommandError(f"There are several templates {named}; name one by its id: {ids}")
    texts_only = [template for template in every.routable() if not template.carries_code]
    known = ", ".join(f"{template.pk} {template.name}" for template in texts_only) or "none"
    raise CommandError(f"There is no template {named}; without a code, approved and active are: {known}")


def _read(file: str, template: Template) -> NumberList:
    try:
        return number_list.read(number_list.decoded(Path(file).read_bytes()), template)
    except OSError as error:
        raise CommandError(f"{file} cannot be read: {error.strerror}") from None
    except (UnreadableList, ImproperlyConfigured) as error:
        raise CommandError(str(error)) from None


def _batch_name(template: Template, numbers: Recipients, options: Mapping[str, Any]) -> str:
    if not options["batch"]:
        return batch_name(template, numbers, again=options["again"])
    if options["again"]:
        raise CommandError("--again makes a new batch name: leave out --batch, or give it a name that was never used.")
    return str(options["batch"])


def _write_summary(out: OutputWrapper, template: Template, expected: Estimate, batch: str) -> None:
    """Prints what will be sent, and its expected cost."""
    cost = "no price is entered" if expected.cost is None else f"about {expected.cost} yuan"
    out.write(f"template {template.pk} {template} by {template.provider}; batch {batch}")
    out.write(f"{expected.numbers} numbers, {expected.known} of them in this batch already; ", ending="")
    out.write(f"{expected.segments} segments, {cost}")
    for why, count in expected.left_out.items():
        out.write(f"{count} more numbers get none: {why}")
    for line in expected.first:
        out.write(line)


def _refuse_repetition(expected: Estimate) -> None:
    """Raises CommandError when the same template was sent to these numbers within a day, maybe by mistake."""
    if not expected.lately:
        return
    others = ", ".join(f"{batch} ({count})" for batch, count in expected.lately.most_common(5))
    raise CommandError(
        f"{expected.lately.total()} of these numbers got this template within a day, in another batch: {others}. If "
        "this is that batch with a corrected list, go on with it by --batch NAME: nobody gets a second SMS. If it is "
        "a new one, say --again."
    )


def _send(template: Template, numbers: Recipients, batch: str) -> BulkResult:
    total, pairs = len(numbers), iter(numbers.items())  # unlike the items, the repr of their iterator shows none
    try:
        with stoppable() as stopped, progress_bar("number") as show:
            return send_bulk(template, pairs, name=batch, stopped=stopped, progress=lambda done, _: show(done, total))
    except (ValueError, SMSVerifyError, ImproperlyConfigured) as error:
        raise CommandError(str(error)) from None


def _report(out: OutputWrapper, result: BulkResult, total: int) -> None:
    for message in result.troubles:
        words = " ".join(filter(None, (message.error_code, message.error_message)))
        out.write(f"{mask(message.phone)}: {message.status} {words}".rstrip())
    counts = result.counts
    out.write(", ".join(f"{status} {count}" for status, count in sorted(counts.items())) or "nothing to send")
    if opted_out := result.opted_out:
        out.write(f"{opted_out} of those not sent have opted out of notices")
    if listed := result.listed:
        out.write(f"{listed} of those not sent are on the block list")
    if result.why_over:
        raise CommandError(
            f"Ended early: {result.why_over}. {total - result.reached} numbers were not processed; what is queued is "
            f"sent by smsverify_poll. Go on with the same command and --batch {result.name}"
        )
    if troubles := len(result.troubles):
        raise CommandError(
            f"{troubles} of {counts.total()} numbers may not have received it. Those that were not sent can be tried "
            f"again with --unsent-of {result.name}; an unknown one may arrive yet."
        )
