"""System check E008: the configured dispatch is installed and really queues."""

from __future__ import annotations

import sys
from typing import Any

import celery
import pytest
from django.core.checks import CheckMessage
from django.test import override_settings

from .test_checks import found

try:
    from django import tasks
except ImportError:
    import django_tasks as tasks  # type: ignore[no-redef]

pytestmark = pytest.mark.django_db  # newer Djangos query the database in their own checks
OWN = f"{tasks.__name__}.backends"


def checked(dispatch: str, **settings: Any) -> list[CheckMessage]:
    with override_settings(SMSVERIFY={"DISPATCH": dispatch}, **settings):
        return found()


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """Backends are read from the settings of the test."""
    monkeypatch.setattr(tasks, "task_backends", type(tasks.task_backends)())


@pytest.mark.parametrize(
    ("backend", "name"),
    [(f"{OWN}.immediate.ImmediateBackend", "ImmediateBackend"), (f"{OWN}.dummy.DummyBackend", "DummyBackend")],
)
def test_tasks_that_run_in_the_request_or_never_are_refused(backend: str, name: str) -> None:
    (message,) = checked("tasks", TASKS={"default": {"BACKEND": backend}})

    assert message.id == "smsverify.E008"
    assert message.msg == f'SMSVERIFY["DISPATCH"] is "tasks", but TASKS["default"] is {name}, which has no workers.'
    assert "django_tasks_db.DatabaseBackend" in str(message.hint)


def test_a_site_without_task_settings_has_tasks_that_run_in_the_request() -> None:
    (message,) = checked("tasks")
    assert "ImmediateBackend, which has no workers" in message.msg


def test_tasks_that_are_not_set_up_are_refused() -> None:
    (message,) = checked("tasks", TASKS={"other": {"BACKEND": f"{OWN}.dummy.DummyBackend"}})

    assert message.id == "smsverify.E008"
    assert 'TASKS["default"] cannot be used: ' in message.msg


def test_tasks_with_workers_are_accepted() -> None:
    pytest.importorskip("django_tasks_db")
    assert checked("tasks", TASKS={"default": {"BACKEND": "django_tasks_db.DatabaseBackend"}}) == []


@pytest.mark.parametrize("eager", [False, True])
def test_celery_that_runs_in_the_request_is_refused(eager: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    app = celery.Celery("site", set_as_current=False)
    app.conf.task_always_eager = eager
    monkeypatch.setattr("celery._state.default_app", app)

    messages = checked("celery")

    assert [(m.id, m.msg, m.hint) for m in messages] == eager * [
        (
            "smsverify.E008",
            'SMSVERIFY["DISPATCH"] is "celery", but Celery runs its tasks inline.',
            "Remove task_always_eager from its settings.",
        )
    ]


@pytest.mark.parametrize(
    ("dispatch", "module", "command"),
    [
        pytest.param(
            "tasks",
            "django_tasks",
            "pip install 'django-smsverify[tasks]'",
            marks=pytest.mark.skipif(tasks.__name__ == "django.tasks", reason="this Django has tasks of its own"),
        ),
        ("celery", "celery", "pip install 'django-smsverify[celery]'"),
    ],
)
def test_a_missing_package_is_named_with_the_command_that_installs_it(
    dispatch: str, module: str, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)

    (message,) = checked(dispatch)

    assert (message.id, message.hint) == ("smsverify.E008", command)
    assert message.msg.startswith(f'SMSVERIFY["DISPATCH"] is "{dispatch}", but ')


def test_without_a_queue_no_package_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("django_tasks", "celery"):
        monkeypatch.setitem(sys.modules, module, None)

    assert checked("inline") == []
