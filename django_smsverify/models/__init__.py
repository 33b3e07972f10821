"""The models: providers, signatures, templates, verifications, messages, what vendors reported, and sums of it."""

from __future__ import annotations

from .accesses import Access
from .accounts import Provider
from .alerts import Alert, NewAlert
from .client_keys import ClientKey
from .filings import CarrierFiling
from .forgetting import Forgetting, PruneMark
from .guard import Closure, ListEntry
from .job_runs import JobRun
from .late_changes import LateChange
from .numbers import KnownNumber
from .opt_outs import OptOut
from .overview import Overview
from .probes import Probe, ProbeNumber
from .records import DeliveryReport, Message, Recipient, Reply, ReportBatch, Verification
from .refusals import Refusal
from .requests import RememberedRequest
from .spending import Spending
from .sums import DailySum, RequestSum, SummedDay
from .test_numbers import TestNumber
from .texts import PURPOSE, Signature, Template

__all__ = [
    "PURPOSE",
    "Access",
    "Alert",
    "CarrierFiling",
    "ClientKey",
    "Closure",
    "DailySum",
    "DeliveryReport",
    "Forgetting",
    "JobRun",
    "KnownNumber",
    "LateChange",
    "ListEntry",
    "Message",
    "NewAlert",
    "OptOut",
    "Overview",
    "Probe",
    "ProbeNumber",
    "Provider",
    "PruneMark",
    "Recipient",
    "Refusal",
    "RememberedRequest",
    "Reply",
    "ReportBatch",
    "RequestSum",
    "Signature",
    "Spending",
    "SummedDay",
    "Template",
    "TestNumber",
    "Verification",
]
