"""The examination of one provider; it sends no SMS, and changes nothing but what is remembered of the last one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext as _

from django_smsverify.characters import listed
from django_smsverify.exceptions import InvalidGateway, UndecryptableValue
from django_smsverify.gateways.base import Gateway
from django_smsverify.gateways.recording import Recorded, recording
from django_smsverify.models import Provider
from django_smsverify.transactions import require_autocommit

from . import texts, vendor
from .exchanges import secrets_of, shown
from .findings import Diagnosis, Finding, State, stop_codes
from .last_tests import remember_test


def diagnose(provider: Provider) -> Diagnosis:
    """Asks the provider's vendor and says what is right and what is wrong.

    Raises InsideTransaction, because no transaction may be open while a vendor is called.
    """
    require_autocommit(Provider)
    with recording() as recorded:
        found = list(_findings(provider, recorded))
    secrets = secrets_of(provider)
    return Diagnosis(findings=found, exchanges=[shown(one, secrets) for one in recorded])


def _findings(provider: Provider, recorded: Sequence[Recorded]) -> Iterator[Finding]:
    gateway = usable_gateway(provider)
    if isinstance(gateway, Finding):
        account = [gateway]
        yield gateway
    else:
        account, of_texts = _of_vendor(provider, gateway, recorded)
        remember_test(provider, account)
        yield from (*account, *of_texts, _webhook(provider, gateway))
    yield from texts.filings(provider)
    yield texts.route(provider, is_stopped=stop_codes(account))


def usable_gateway(provider: Provider) -> Gateway | Finding:
    """The gateway with its keys, or why there is none."""
    try:
        gateway = provider.gateway_client()
    except InvalidGateway as error:
        return Finding(_("gateway"), State.WRONG, str(error))
    except UndecryptableValue:
        return lost_keys()
    except ImproperlyConfigured as error:
        return Finding(_("keys"), State.WRONG, str(error), _("Enter the credentials again in the admin."))
    if lacking := gateway.lacking():
        words = _("The provider has no %s.") % listed(lacking)
        return Finding(_("keys"), State.WRONG, words, _("Enter it in the admin."))
    return gateway


def lost_keys() -> Finding:
    """That the credentials were encrypted with a key that is not in the settings any more."""
    words = _("The stored keys cannot be decrypted: their encryption key is in the settings no more.")
    advice = _(
        "Have the developer put that key back, or enter the credentials again on the page of the provider. “Encryption "
        "key” above the list of providers says what else is affected."
    )
    return Finding(_("keys"), State.WRONG, words, advice)


def _of_vendor(
    provider: Provider, gateway: Gateway, recorded: Sequence[Recorded]
) -> tuple[list[Finding], list[Finding]]:
    """What the vendor tells of the account, and what it tells of the texts."""
    if gateway.local:
        words = _("There is none: this gateway is for development and calls nobody.")
        return [Finding(_("vendor"), State.OK, words)], []
    if not gateway.has_question:
        advice = _("A real SMS shows whether it works: “Send a test SMS” on the page of the provider.")
        words, command = _("This gateway has no harmless question to ask."), sending_command(provider)
        found = Finding(_("vendor"), State.UNKNOWN, words, advice, command=command)
        return [found], list(texts.TextExaminer(gateway, may_ask=False).findings(texts.texts_of(provider)))
    reply = vendor.ask(gateway, recorded)
    address, clock = vendor.address(gateway, reply), vendor.clock(reply)
    is_reached, is_late = address.state == State.OK, clock.state == State.WRONG
    examiner = texts.TextExaminer(gateway, may_ask=is_reached and not reply.is_refused)
    of_texts = list(examiner.findings(texts.texts_of(provider)))
    keys = vendor.keys(reply, is_reached=is_reached, is_late=is_late, is_proved=examiner.takes_keys)
    if keys.state == State.UNKNOWN and is_reached and not reply.is_refused:
        keys = replace(keys, command=sending_command(provider))
    return [address, clock, keys], of_texts


def _webhook(provider: Provider, gateway: Gateway) -> Finding:
    if not gateway.pushes:
        return Finding(_("webhook"), State.OK, _("None is needed: this vendor calls none."))
    words = _("Whether the vendor's calls come through is told by “Send a test push” on the page of the provider.")
    return Finding(_("webhook"), State.UNKNOWN, words, command=test_push_command(provider))


def test_push_command(provider: Provider) -> str:
    """The command that calls the webhook as the vendor would."""
    return f"python manage.py smsverify_webhooks {provider.slug} --test"


def sending_command(provider: Provider) -> str:
    """The command that sends a real SMS by the provider."""
    return f"python manage.py smsverify_check {provider.slug} --send PHONE"
