"""The conclusion above a story, with links to where it is done what it says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from django.http import HttpRequest
from django.urls import reverse

from django_smsverify.journal.conclusion import Conclusion
from django_smsverify.journal.places import Place

from .closed_links import may_see


class ShownNextStep(NamedTuple):
    """Something to do, with the address and the name of the page where it is done; both blank without one."""

    words: str
    url: str = ""
    name: str = ""


def shown_steps(request: HttpRequest, conclusion: Conclusion | None, site: str) -> Iterator[ShownNextStep]:
    """Yields what is to be done, with links to pages that the user may see of this admin."""
    for step in conclusion.steps if conclusion else ():
        if step.place is not None and may_see(request, step.place.model):
            yield ShownNextStep(str(step.words), _url(step.place, site), step.place.name)
        else:
            yield ShownNextStep(str(step.words))


def _url(place: Place, site: str) -> str:
    if place.pk is None:
        return reverse(f"admin:smsverify_{place.model}_changelist", current_app=site)
    return reverse(f"admin:smsverify_{place.model}_change", args=[place.pk], current_app=site)
