"""The cause in a delivery report: what its code means, coming from this vendor, about this carrier's number."""

from __future__ import annotations

import logging
from functools import lru_cache
from pathlib import Path

from django_smsverify.carriers.blocks import carrier_of
from django_smsverify.carriers.causes import Meaning
from django_smsverify.carriers.delivery_codes import PUBLISHED, DeliveryCodes
from django_smsverify.conf import conf
from django_smsverify.enums import Cause, DeliveryOutcome
from django_smsverify.models import DeliveryReport, Provider
from django_smsverify.models.gateway_classes import gateway_class_or_missing
from django_smsverify.types import DeliveryEvent

logger = logging.getLogger("django_smsverify")


def cause_of(provider: Provider, reported: DeliveryEvent | DeliveryReport) -> Cause:
    """Why an SMS was not delivered; what the vendor says of the outcome goes before what its code may mean."""
    if reported.outcome == DeliveryOutcome.DELIVERED:
        return Cause.DELIVERED
    cause = meaning_of(provider, reported).cause
    return Cause.UNKNOWN if cause == Cause.DELIVERED else cause


def meaning_of(provider: Provider, reported: DeliveryEvent | DeliveryReport) -> Meaning:
    """What the code of a report means."""
    kind = gateway_class_or_missing(provider.gateway)
    code = getattr(reported, kind.cause_field) if kind.cause_field else ""
    return delivery_codes().meaning(code, tables=kind.delivery_codes, carrier=carrier_of(reported.phone))


def delivery_codes() -> DeliveryCodes:
    """The tables of the site, before those that come with the package."""
    return _read(conf.DELIVERY_CODES)


@lru_cache(maxsize=1)
def _read(own: str | None) -> DeliveryCodes:
    try:
        return DeliveryCodes([*([Path(own)] if own else []), PUBLISHED])
    except (OSError, ValueError) as error:  # no report may be lost for it; a system check says the same
        logger.error("The delivery codes of the site are not used: %s", error)
        return DeliveryCodes()
