"""The models: providers, signatures, templates, verifications, messages and what vendors reported."""

from __future__ import annotations

from .accounts import Provider
from .numbers import KnownNumber
from .records import DeliveryReport, Message, Recipient, Reply, ReportBatch, Verification
from .requests import RememberedRequest
from .texts import PURPOSE, Signature, Template

__all__ = [
    "PURPOSE",
    "DeliveryReport",
    "KnownNumber",
    "Message",
    "Provider",
    "Recipient",
    "RememberedRequest",
    "Reply",
    "ReportBatch",
    "Signature",
    "Template",
    "Verification",
]
