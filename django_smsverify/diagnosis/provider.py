"""The examination of one provider; it sends no SMS and changes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext as _

from django_smsverify.exceptions import InvalidGateway
from django_smsverify.gateways.base import Gateway
from django_smsverify.gateways.recording import Recorded, recording
from django_smsverify.models import Provider
from django_smsverify.transactions import require_autocommit

from . import texts, vendor
from .exchanges import secrets_of, shown
from .findings import Diagnosis, Finding, State


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
    gateway = _gateway(provider)
    if isinstance(gateway, Finding):
        yield gateway
    else:
        yield from _of_vendor(provider, gateway, recorded)
        yield _webhook(provider, gateway)
    yield from texts.filings(provider)
    yield texts.route(provider)


def _gateway(provider: Provider) -> Gateway | Finding:
    """The gateway with its keys, or why there is none."""
    try:
        gateway = provider.gateway_client()
    except InvalidGateway as error:
        return Finding(_("gateway"), State.WRONG, str(error))
    except ImproperlyConfigured as error:
        return Finding(_("keys"), State.WRONG, str(error), _("Enter the credentials again in the admin."))
    if lacking := gateway.lacking():
        words = _("The provider has no %s.") % ", ".join(lacking)
        return Finding(_("keys"), State.WRONG, words, _("Enter it in the admin."))
    return gateway


def _of_vendor(provider: Provider, gateway: Gateway, recorded: Sequence[Recorded]) -> Iterator[Finding]:
    if gateway.local:
        yield Finding(_("vendor"), State.OK, _("There is none: this gateway is for development and calls nobody."))
        return
    if not gateway.has_question:
        advice = _("A real SMS shows whether it works: smsverify_check with --send.")
        yield Finding(_("vendor"), State.UNKNOWN, _("This gateway has no harmless question to ask."), advice)
        yield from texts.TextExaminer(gateway, may_ask=False).findings(texts.texts_of(provider))
        return
    reply = vendor.ask(gateway, recorded)
    address, clock = vendor.address(gateway, reply), vendor.clock(reply)
    is_reached, is_late = address.state == State.OK, clock.state == State.WRONG
    examiner = texts.TextExaminer(gateway, may_ask=is_reached and not reply.is_refused)
    of_texts = list(examiner.findings(texts.texts_of(provider)))
    keys = vendor.keys(reply, is_reached=is_reached, is_late=is_late, is_proved=examiner.takes_keys)
    yield from (address, clock, keys, *of_texts)


def _webhook(provider: Provider, gateway: Gateway) -> Finding:
    if not gateway.pushes:
        return Finding(_("webhook"), State.OK, _("None is needed: this vendor calls none."))
    words = _("Whether the vendor's calls come through is told by: python manage.py smsverify_webhooks %s --test")
    return Finding(_("webhook"), State.UNKNOWN, words % provider.slug)
