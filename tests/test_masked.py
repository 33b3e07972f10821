"""Values that are masked when they are shown and otherwise behave as usual."""

from __future__ import annotations

from collections.abc import Mapping
from pprint import pformat
from typing import Any

import pytest

from django_smsverify.masked import PerNumber, Secret, secrets_of
from django_smsverify.models import Provider, Verification
from django_smsverify.models.fields import decrypt, encrypt
from django_smsverify.types import OutgoingSMS

from .conftest import PHONE

CODE = Secret("471102")


@pytest.mark.parametrize(
    "shown", [repr(CODE), repr([CODE]), repr({"code": CODE}), pformat({"code": CODE}), f"{CODE!r}"]
)
def test_a_secret_is_masked_when_it_is_shown(shown: str) -> None:
    assert "***" in shown
    assert "471102" not in shown


def test_a_secret_is_text_when_it_is_formatted() -> None:
    assert f"{CODE}" == "471102"
    assert "".join([CODE]) == "471102"
    assert CODE in {"471102"}


def test_text_values_become_secrets_and_other_values_stay() -> None:
    values: Any = secrets_of({"code": "471102", "count": 3})
    assert values == {"code": "471102", "count": 3}
    assert "471102" not in repr(values)


def test_values_per_number_show_only_their_count() -> None:
    values = PerNumber({PHONE: {"code": "471102"}})
    assert repr(values) == "<1 numbers>"
    assert not isinstance(values, Mapping), "monitoring tools print the keys of a Mapping"


def test_values_per_number_are_used_like_a_dict() -> None:
    values = PerNumber([(PHONE, 1)])
    values["+8613900139000"] = 2
    assert (dict(values), {**values}) == ({PHONE: 1, "+8613900139000": 2},) * 2
    assert values == {PHONE: 1, "+8613900139000": 2} == dict(values.items())
    assert values == PerNumber(dict(values))
    assert (list(values), list(values.values()), len(values)) == ([PHONE, "+8613900139000"], [1, 2], 2)
    assert (values.get("?"), values.get(PHONE), PHONE in values, "?" in values) == (None, 1, True, False)
    with pytest.raises(KeyError):
        values["?"]
    with pytest.raises(TypeError):
        hash(values)
    values.clear()
    assert not values


def test_an_outgoing_sms_masks_its_values() -> None:
    sms = OutgoingSMS(content="{code}", recipients={PHONE: {"code": "471102"}})
    assert sms.recipients[PHONE] == {"code": "471102"}
    for shown in (repr(sms), repr(sms.recipients), repr(sms.recipients[PHONE])):
        assert "471102" not in shown
        assert PHONE not in shown


def test_decrypted_values_are_masked() -> None:
    found = decrypt(encrypt({"app_code": "the key"}))
    assert found == {"app_code": "the key"}
    assert "the key" not in repr(found)


def test_credentials_are_masked_before_they_are_stored() -> None:
    provider = Provider(credentials={"app_code": "the key"})
    assert provider.credentials["app_code"] == "the key"
    assert "the key" not in repr(provider.credentials)


def test_a_derived_code_is_masked() -> None:
    verification = Verification(phone=PHONE, purpose="login", code_length=6)
    assert repr(verification.derive_code()) == repr(CODE)
