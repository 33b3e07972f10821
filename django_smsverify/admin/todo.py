"""What an operator is to do now: each problem as a sentence, with a link to what it is about and a button."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.http import HttpRequest
from django.urls import reverse
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from django_smsverify.models import Provider
from django_smsverify.operations.doctor import Action, Kind, Problem, what_to_do

from .closed_links import may_see
from .credentials import may_change_credentials
from .encryption import BUTTON as REENCRYPT
from .looks import Tone, badge

POSTED = {
    Action.TEST: (_("Test"), "test"),
    Action.CLOSE_CIRCUITS: (_("Use it again"), "close_circuits"),
    Action.ASK_BALANCE: (_("Ask for the balance"), "ask_balance"),
    Action.TEST_PUSH: (_("Send a test push"), "test_push"),
}
"""Buttons of a provider, by the name of their address."""
ACTIONS = {Action.LIFT: (_("Lift"), "lift"), Action.FETCH: (_("Ask for the review"), "fetch")}
"""Actions of the list of the model."""
NEEDED = {Action.TEST: "test_provider", Action.TEST_PUSH: "test_provider", Action.LIFT: "change_closure"}
"""The permission for a button, where it is not that to change the row."""
LISTS = {
    Kind.PURPOSE: "provider",
    Kind.OLD_KEY: "provider",
    Kind.LOST_KEYS: "provider",
    Kind.TEST_NUMBERS: "testnumber",
}
"""Where a problem leads that is about several rows of a model."""


@dataclass(frozen=True, slots=True)
class Todo:
    """One problem."""

    badge: SafeString
    words: str
    advice: str
    url: str
    """Of what it is about; blank where there is no page, or the user may not see it."""
    label: str = ""
    """Of the button; blank without one."""
    action_url: str = ""
    fields: tuple[tuple[str, str], ...] = ()
    """What is posted with the button."""


def todos(request: HttpRequest, providers: Iterable[Provider]) -> list[Todo]:
    """Returns what is to be done now, the most urgent first; `providers` are all."""
    return [_todo(request, problem) for problem in what_to_do(providers)]


def _todo(request: HttpRequest, problem: Problem) -> Todo:
    tone = Tone(problem.tone)
    told = (badge(tone.label, tone), problem.words, problem.advice, _url(request, problem))
    return Todo(*told, *_button(request, problem))


def _url(request: HttpRequest, problem: Problem) -> str:
    if problem.action == Action.SHOW_KEYS and may_change_credentials(request):
        return _reverse(request, "provider_encryption")
    label, pk = problem.about or (LISTS.get(problem.kind, ""), None)
    model = label.removeprefix("smsverify.")
    if not model or not may_see(request, model):
        return ""
    return _reverse(request, f"{model}_changelist") if pk is None else _reverse(request, f"{model}_change", pk)


def _button(request: HttpRequest, problem: Problem) -> tuple[str, str, tuple[tuple[str, str], ...]]:
    """The label of the button, its address, and what is posted; all blank without one that the user may press."""
    if problem.action == Action.REENCRYPT and may_change_credentials(request):
        return str(REENCRYPT), _reverse(request, "provider_encryption"), ()
    if problem.about is None or problem.action not in {**POSTED, **ACTIONS}:
        return "", "", ()
    model, pk = problem.about[0].removeprefix("smsverify."), problem.about[1]
    needed = NEEDED.get(problem.action, f"change_{model}")
    if not request.user.has_perm(f"smsverify.{needed}"):
        return "", "", ()
    if problem.action in POSTED:
        label, name = POSTED[problem.action]
        return str(label), _reverse(request, f"provider_{name}", pk), ()
    label, name = ACTIONS[problem.action]
    return str(label), _reverse(request, f"{model}_changelist"), (("action", name), ("_selected_action", str(pk)))


def _reverse(request: HttpRequest, name: str, *args: object) -> str:
    return reverse(f"admin:smsverify_{name}", args=args, current_app=getattr(request, "current_app", None))
