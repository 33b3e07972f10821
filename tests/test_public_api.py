"""The names at the top of the package."""

from __future__ import annotations

import subprocess
import sys

import pytest

import django_smsverify
from django_smsverify import sending


@pytest.mark.parametrize("name", django_smsverify.__all__)
def test_a_name_is_the_function_of_its_package(name: str) -> None:
    found = getattr(django_smsverify, name)

    assert found.__name__ == name
    assert found.__module__.startswith(f"django_smsverify.{django_smsverify.HOMES[name]}.")


@pytest.mark.parametrize("name", sending.HOMES)
def test_a_name_of_sending_is_that_of_its_module(name: str) -> None:
    found = getattr(sending, name)

    assert found.__name__ == name
    assert found.__module__ == f"django_smsverify.sending.{sending.HOMES[name]}"


def test_every_home_is_a_public_name() -> None:
    assert sorted(django_smsverify.HOMES) == django_smsverify.__all__


def test_an_unknown_name_raises_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'django_smsverify' has no attribute 'verify'"):
        django_smsverify.verify  # noqa: B018


def test_the_package_can_be_imported_before_django_is_set_up() -> None:
    """INSTALLED_APPS names it when no model can be imported yet."""
    subprocess.run(
        [sys.executable, "-c", "import sys, django_smsverify; sys.exit('django' in sys.modules)"], check=True
    )
