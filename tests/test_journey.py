"""The main flow: a code is sent through each gateway and then verified."""

from __future__ import annotations

import pytest
from sandbox.server import Sandbox

from django_smsverify.exceptions import ProofRejected
from django_smsverify.models import Message, Verification
from django_smsverify.numbers import requester_of
from django_smsverify.verifying import redeem_proof

from .conftest import FEW_QUICKLY, PHONE, MakeProvider, Site, code_in


@pytest.mark.parametrize("gateway", FEW_QUICKLY)
def test_a_code_is_sent_and_verified(gateway: str, site: Site, vendor: MakeProvider, sandbox: Sandbox) -> None:
    vendor(gateway, price="0.0450")

    sent = site.send()

    assert sent.status_code == 202
    assert sent.json() == {
        "verification_id": str(Verification.objects.get().pk),
        "phone": "138****8000",
        "expires_in": 300,
        "resend_in": 60,
        "code_length": 6,
    }
    (sms,) = sandbox.inbox.of("13800138000")
    assert sms.text.startswith("【示例站】您的验证码是")
    status = site_status(site, sent.json()["verification_id"])
    assert status["status"] == "accepted"

    verified = site.verify(sent.json()["verification_id"], code_in(sms.text))

    assert verified.status_code == 200
    body = verified.json()
    proof, device = body.pop("proof"), body.pop("device")
    assert 590 <= body.pop("proof_expires_in") <= 600
    assert body == {"phone": "138****8000", "purpose": "login"}
    assert requester_of(PHONE, device=device).is_trusted
    assert redeem_proof(proof, "login") == PHONE
    with pytest.raises(ProofRejected):
        redeem_proof(proof, "login")
    message = Message.objects.get()
    assert message.remote_id == sms.remote_id
    assert (message.status, message.segments, str(message.cost)) == ("accepted", 1, "0.0450")
    assert message.sent_at is not None


def site_status(site: Site, verification_id: str) -> dict[str, object]:
    import requests

    return dict(requests.get(f"{site.url}/sms/send/{verification_id}/", timeout=60).json())
