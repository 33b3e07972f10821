"""What is remembered."""

from __future__ import annotations

from .accounts import PURPOSE, Provider, Signature, Template
from .records import DeliveryReport, Message, Recipient, Reply, ReportBatch, Verification

__all__ = [
    "PURPOSE",
    "DeliveryReport",
    "Message",
    "Provider",
    "Recipient",
    "Reply",
    "ReportBatch",
    "Signature",
    "Template",
    "Verification",
]
