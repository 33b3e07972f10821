"""Compares the refusals that any test causes with those that the OpenAPI schema describes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import pytest
from rest_framework.response import Response

from django_smsverify import views
from django_smsverify.contrib.openapi import of_login
from django_smsverify.contrib.views import PhoneLoginEndpoint
from django_smsverify.openapi import refusals


@cache
def described_refusals() -> dict[type[views.FrontEndView], set[tuple[int, str]]]:
    """The statuses and words that the schema has for each view."""
    errors = {
        views.SendView: refusals.of_send(),
        views.SendStatusView: refusals.of_status(),
        views.VerifyView: refusals.of_verify(),
        views.TicketView: refusals.of_flood(),
        PhoneLoginEndpoint: of_login(),
    }
    answers = {view: [refusals.answer(error) for error in of_view] for view, of_view in errors.items()}
    return {view: {(status, body["code"]) for status, body in found} for view, found in answers.items()}


def refuse(error: Exception, context: Mapping[str, Any]) -> Response | None:
    response = views.refuse(error, context)
    if response is not None:
        (described,) = [found for view, found in described_refusals().items() if isinstance(context["view"], view)]
        assert (response.status_code, response.data["code"]) in described, f"{context['view']}: {response.data}"
    return response


@pytest.fixture(autouse=True, scope="session")
def only_what_is_described() -> Iterator[None]:
    """Fails what causes a refusal that the schema does not describe."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(views.FrontEndView, "get_exception_handler", lambda view: refuse)
        yield
