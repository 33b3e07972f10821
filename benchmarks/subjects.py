"""What is compared: each subject is a Django site that sends codes, with the requests that make it do so."""

from __future__ import annotations

import json
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

PEERS = {
    "django-phone-verify": "benchmarks.peers.phone_verify.subject",
    "django-otp-twilio": "benchmarks.peers.otp_twilio.subject",
    "drfpasswordless": "benchmarks.peers.passwordless.subject",
    "django-allauth": "benchmarks.peers.allauth_phone.subject",
}
"""Other apps that send codes."""
OWN = {"floor": "benchmarks.floor.subject", "ours": "benchmarks.ours.subject"}
SUBJECTS = {**OWN, **PEERS}
"""The module of each subject, which has a class `Site`; it can be imported without the app."""
CODE = re.compile(r"(?<!\d)\d{6}(?!\d)")


@dataclass(frozen=True, slots=True)
class Call:
    """One request to a site, and the status that its answer must have."""

    path: str
    body: bytes
    status: int
    content_type: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()
    address: str = "192.0.2.1"
    """Where the client is."""


class Subject(ABC):
    """One app on a site of its own."""

    apps: tuple[str, ...]
    urls: str
    accepted = 202
    """The status of an accepted send."""
    refused = 429
    """The status of a send that a limit refuses."""
    actions: tuple[str, ...]
    """The actions of `benchmarks.actions` that the app has."""

    def settings(self, vendor: str) -> dict[str, Any]:
        """Further settings, for a vendor at this URL."""
        return {}

    def install(self, vendor: str) -> None:
        """Adds the rows that a site needs, after `migrate`."""
        return

    def under_callgrind(self) -> None:
        """Prepares a process in which everything takes some fifty times as long."""
        return

    def enrol(self, phone: str) -> None:
        """Adds the user that must be there before a code is sent to a number."""
        return

    @abstractmethod
    def send(self, phone: str, status: int) -> Call:
        """The request for a code to a number."""

    @abstractmethod
    def verify(self, phone: str, answer: Mapping[str, Any], code: str) -> Call:
        """The request with the right code, after a send that was answered with this JSON."""

    def report(self, phone: str, remote_id: str) -> Call:
        """The vendor's report that an SMS was delivered."""
        raise NotImplementedError

    def code(self, sms: Mapping[str, str]) -> str:
        """The code in what the vendor was sent."""
        found = CODE.search(sms["body"])
        return found[0] if found else ""


def posted(path: str, fields: Mapping[str, Any], status: int) -> Call:
    """A Call with a body in JSON."""
    return Call(path, json.dumps(fields).encode(), status)


def subject(name: str) -> Subject:
    found: Subject = import_module(SUBJECTS[name]).Site()
    return found
