"""The models: providers, signatures, templates, verifications, messages, what vendors reported, and sums of it."""

from __future__ import annotations

from .accounts import Provider
from .client_keys import ClientKey
from .filings import CarrierFiling
from .guard import Closure, ListEntry
from .late_changes import LateChange
from .numbers import KnownNumber
from .opt_outs import OptOut
from .probes import Probe, ProbeNumber
from .records import DeliveryReport, Message, Recipient, Reply, ReportBatch, Verification
from .refusals import Refusal
from .requests import RememberedRequest
from .spending import Spending
from .sums import DailySum, SummedDay
from .test_numbers import TestNumber
from .texts import PURPOSE, Signature, Template

__all__ = [
    "PURPOSE",
    "CarrierFiling",
    "ClientKey",
    "Closure",
    "DailySum",
    "DeliveryReport",
    "KnownNumber",
    "LateChange",
    "ListEntry",
    "Message",
    "OptOut",
    "Probe",
    "ProbeNumber",
    "Provider",
    "Recipient",
    "Refusal",
    "RememberedRequest",
    "Reply",
    "ReportBatch",
    "Signature",
    "Spending",
    "SummedDay",
    "Template",
    "TestNumber",
    "Verification",
]
