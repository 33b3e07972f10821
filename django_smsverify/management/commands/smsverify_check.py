"""manage.py smsverify_check PROVIDER [--send PHONE]: says whether a provider works, and if not, why."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from django_smsverify.diagnosis.exchanges import secrets_of, shown
from django_smsverify.diagnosis.findings import Finding, State, has_wrong
from django_smsverify.diagnosis.provider import diagnose
from django_smsverify.enums import MessageStatus
from django_smsverify.exceptions import SMSVerifyError, words_for_operators
from django_smsverify.gateways.recording import recording
from django_smsverify.management.naming import providers_named
from django_smsverify.management.terminal import TerminalCommand
from django_smsverify.masked import Secret
from django_smsverify.models import Message, Provider, Template
from django_smsverify.phones import mask
from django_smsverify.sending.by_hand import code_templates, send_code_by

STATES = {MessageStatus.NOT_SENT: State.WRONG, MessageStatus.UNKNOWN: State.WRONG}
"""The state of an SMS with a status that is not good."""


class Command(TerminalCommand):
    help = (
        "Asks a provider's vendor something harmless and says whether address, clock, keys, signatures and templates "
        "are right; nothing is sent, changed or charged. Prints what was exchanged without keys and numbers, so that "
        "it can be pasted into a bug report. With --send, sends a real SMS through this provider and no other. The "
        "exit status is 1 when something is wrong."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("provider", metavar="PROVIDER", help="its slug")
        parser.add_argument("--send", metavar="PHONE", help="send a code to this number, within its limits")
        parser.add_argument("--purpose", help="of the code that is sent; default: that of the first usable template")

    def handle(self, *args: Any, **options: Any) -> None:
        (provider,) = providers_named([options["provider"]])
        if options["purpose"] and not options["send"]:
            raise CommandError("--purpose goes with --send.")
        template = template_of(provider, options["purpose"]) if options["send"] else None
        self.stdout.write(f"{provider.slug} ({provider.gateway})")
        found = diagnose(provider)
        findings, exchanges = list(found.findings), list(found.exchanges)
        for finding in findings:
            self.stdout.write(line_of(finding))
        if template is not None:
            sms, more = send(template, options["send"])
            self.stdout.write(line_of(sms))
            findings.append(sms)
            exchanges += more
        for exchange in exchanges:
            self.stdout.write(f"\n{exchange}")
        if has_wrong(findings):
            wrong = ", ".join(str(finding.subject) for finding in findings if finding.state == State.WRONG)
            raise CommandError(f"Something is wrong: {wrong}")


def template_of(provider: Provider, purpose: str | None) -> Template:
    """The first template of the provider by which a code can be sent; raises CommandError."""
    usable = code_templates(provider)
    for template in usable:
        if purpose in (None, template.purpose):
            return template
    known = ", ".join(sorted({template.purpose for template in usable})) or "none"
    wanted = f" for {purpose}" if purpose else ""
    raise CommandError(f"No template of {provider.slug} can send a code{wanted}; purposes that it can serve: {known}.")


def send(template: Template, phone: str) -> tuple[Finding, list[str]]:
    """Sends a code; returns how it ended and what was exchanged. Raises CommandError when nothing may be sent."""
    with recording() as recorded:
        try:
            message = send_code_by(template, phone)
        except SMSVerifyError as error:
            raise CommandError(f"No SMS: {words_for_operators(error)} ({error.code})") from None
    secrets = [*secrets_of(template.provider), *secrets_in(message)]
    return finding_of(message), [shown(one, secrets) for one in recorded]


def secrets_in(message: Message) -> list[Secret]:
    """The number and the code of a message."""
    numbers = [Secret(message.phone), Secret(message.phone.removeprefix("+86"))]
    return [*numbers, message.verification.derive_code()] if message.verification else numbers


def finding_of(message: Message) -> Finding:
    """How an SMS ended."""
    words = " ".join(filter(None, (message.get_status_display(), message.error_code, message.error_message)))
    state = STATES.get(MessageStatus(message.status), State.OK)
    return Finding(f"SMS {mask(message.phone)}", state, words)


def line_of(finding: Finding) -> str:
    """A finding as a line of text, and what to do in further ones."""
    line = f"[{finding.state.label}] {finding.subject}: {finding.words}"
    further = [f"    -> {finding.advice}"] if finding.advice else []
    return "\n".join([line, *further, *([f"    $ {finding.command}"] if finding.command else [])])
