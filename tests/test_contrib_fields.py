"""Fields and a permission that take a proof: they give the number, and use the proof up once all else is right."""

from __future__ import annotations

from html import unescape
from typing import Any

import pytest
from django import forms
from django.contrib.auth.models import AnonymousUser, User
from django.db import transaction
from django.test import override_settings
from rest_framework import serializers
from rest_framework.response import Response
from rest_framework.test import APIRequestFactory, force_authenticate
from rest_framework.views import APIView

from django_smsverify.contrib.forms import VerifiedPhoneField, VerifiedPhoneForm
from django_smsverify.contrib.permissions import IsPhoneVerified
from django_smsverify.contrib.serializers import VerifiedPhoneField as SerializedPhone
from django_smsverify.contrib.serializers import VerifiedPhoneSerializer
from django_smsverify.exceptions import ProofRejected
from django_smsverify.verifying import proofs, read_proof

PHONE, NATIONAL = "+8613800138000", "13800138000"

pytestmark = pytest.mark.django_db


def proof(purpose: str = "order", **more: Any) -> str:
    return proofs.issue(NATIONAL, purpose, source="test", **more)


class OrderForm(VerifiedPhoneForm, forms.Form):
    mobile = VerifiedPhoneField(purpose="order")
    count = forms.IntegerField()


class NumberForm(VerifiedPhoneForm, forms.Form):
    old = VerifiedPhoneField(purpose="order")
    new = VerifiedPhoneField(purpose="order")


class NumberSerializer(VerifiedPhoneSerializer, serializers.Serializer[Any]):
    old = SerializedPhone(purpose="order")
    new = SerializedPhone(purpose="order")


class OptionalForm(VerifiedPhoneForm, forms.Form):
    mobile = VerifiedPhoneField(purpose="order", required=False)


class OrderSerializer(VerifiedPhoneSerializer, serializers.Serializer[Any]):
    mobile = SerializedPhone(purpose="order")
    count = serializers.IntegerField()


def filled(kind: str, data: dict[str, Any]) -> tuple[bool, Any, Any]:
    """Whether a form or a serializer is valid, what it gives, and its errors."""
    if kind == "form":
        form = OrderForm(data)
        return form.is_valid(), form.cleaned_data, form.errors
    serializer = OrderSerializer(data=data)
    return serializer.is_valid(), serializer.validated_data, serializer.errors


both = pytest.mark.parametrize("kind", ["form", "serializer"])


@both
@pytest.mark.parametrize(("form", "number"), [("national", NATIONAL), ("e164", PHONE)])
def test_gives_the_number_and_uses_the_proof_up(kind: str, form: str, number: str) -> None:
    given = proof()
    with override_settings(SMSVERIFY={"PHONE_FORM": form}):
        assert filled(kind, {"mobile": given, "count": 1}) == (True, {"mobile": number, "count": 1}, {})

    is_valid, _values, errors = filled(kind, {"mobile": given, "count": 1})
    assert (is_valid, list(errors)) == (False, ["mobile"])


@both
def test_an_error_in_another_field_leaves_the_proof_as_it_is(kind: str) -> None:
    given = proof()

    is_valid, _values, errors = filled(kind, {"mobile": given, "count": "many"})

    assert (is_valid, list(errors)) == (False, ["count"])
    assert filled(kind, {"mobile": given, "count": 1})[0]


@both
@pytest.mark.parametrize("bad", ["", "x", 5, None, "for something else"])
def test_what_is_no_proof_for_the_purpose_is_an_error_of_the_field(kind: str, bad: Any) -> None:
    given = proof("login") if bad == "for something else" else bad

    is_valid, _values, errors = filled(kind, {"mobile": given, "count": 1})

    assert (is_valid, list(errors)) == (False, ["mobile"])


@both
def test_a_rollback_gives_the_proof_back(kind: str) -> None:
    given = proof()
    with transaction.atomic():
        assert filled(kind, {"mobile": given, "count": 1})[0]
        transaction.set_rollback(True)

    assert read_proof(given, "order") == PHONE


@both
def test_of_two_forms_with_one_proof_the_first_one_has_it(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    given = proof()
    data = {"mobile": given, "count": 1}
    module = "forms" if kind == "form" else "serializers"
    monkeypatch.setattr(f"django_smsverify.contrib.{module}.read_proof", lambda *args, **kwargs: PHONE)
    assert filled(kind, data)[0]

    is_valid, _values, errors = filled(kind, data)

    assert (is_valid, list(errors)) == (False, ["mobile"])


@both
def test_of_two_proofs_both_are_used_up_or_none(kind: str) -> None:
    old, new = proof(), proof()

    def errors(**data: str) -> list[str]:
        if kind == "form":
            return list(NumberForm(data).errors)
        serializer = NumberSerializer(data=data)
        serializer.is_valid()
        return list(serializer.errors)

    assert errors(old=old, new=old) == ["new"]  # whose second use was not seen before the first
    assert errors(old=old, new=new) == []
    assert errors(old=old, new=new) == ["old", "new"]


def test_an_optional_proof_may_be_missing() -> None:
    form = OptionalForm({})

    assert form.is_valid()
    assert form.cleaned_data == {"mobile": ""}


def test_the_form_shows_the_widget() -> None:
    shown = str(OrderForm()["mobile"])

    assert '<sms-verify purpose="order" name="mobile"' in shown
    assert "smsverify/smsverify.js" in str(OrderForm().media)


def test_a_proof_that_is_not_used_up_is_given_back_to_the_widget() -> None:
    given = proof()
    data = {"mobile": given, "count": "many"}

    shown = str(OrderForm(data)["mobile"])
    assert f'proof="{given}"' in shown
    assert 'verified="138****8000"' in shown
    assert OrderForm({**data, "count": 1}).is_valid()
    for used_up_or_forged in (given, f"{given}x", "x"):
        assert "proof=" not in str(OrderForm({**data, "mobile": used_up_or_forged})["mobile"])


def test_a_form_or_serializer_that_would_not_redeem_is_refused() -> None:
    class Form(forms.Form):
        mobile = VerifiedPhoneField(purpose="order")

    class Wrong(serializers.Serializer[Any]):
        mobile = SerializedPhone(purpose="order")

    with pytest.raises(TypeError, match=r"VerifiedPhoneForm first"):
        Form({})["mobile"]
    with pytest.raises(TypeError, match=r"VerifiedPhoneSerializer first"):
        Wrong(data={}).is_valid()


def test_a_context_must_be_the_one_of_the_code() -> None:
    class PayForm(VerifiedPhoneForm, forms.Form):
        mobile = VerifiedPhoneField(purpose="order", context={"amount": 10})

    assert 'context="{"amount": 10}"' in unescape(str(PayForm()["mobile"]))
    assert PayForm({"mobile": proof(context={"amount": 10})}).is_valid()
    assert not PayForm({"mobile": proof(context={"amount": 11})}).is_valid()


class PayView(APIView):
    permission_classes = (IsPhoneVerified,)
    phone_purpose = "pay"

    def phone_context(self, request: Any) -> dict[str, Any]:
        return {"amount": request.data.get("amount")}

    def post(self, request: Any) -> Response:
        return Response({"phone": request.verified_phone})


def paid(given: str, user: Any = None, amount: int = 10) -> Response:
    request = APIRequestFactory().post("/pay/", {"amount": amount}, format="json", headers={"Phone-Proof": given})
    force_authenticate(request, user or AnonymousUser())
    return PayView.as_view()(request)


@pytest.mark.django_db(transaction=True)  # under ATOMIC_REQUESTS REST framework rolls back what was refused
def test_the_permission_wants_a_proof_and_uses_it_up() -> None:
    given = proof("pay", context={"amount": 10})
    assert paid("").status_code == paid(given, amount=11).status_code == 403

    assert paid(given).data == {"phone": PHONE}

    again = paid(given)
    assert (again.status_code, again.data["detail"].code) == (403, ProofRejected.code)


@pytest.mark.django_db(transaction=True)
def test_the_number_must_be_that_of_the_user_who_is_logged_in() -> None:
    owner, other = User.objects.create_user(NATIONAL), User.objects.create_user("13900139000")
    given = proof("pay", context={"amount": 10})

    assert paid(given, other).status_code == 403
    assert paid(given, owner).status_code == 200
