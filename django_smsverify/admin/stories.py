"""Pages that tell what happened to a message or a code, step by step, above the technical fields."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar, NamedTuple

from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from django_smsverify.journal.steps import Step
from django_smsverify.journal.timeline import Timeline
from django_smsverify.journal.words import moment

from .closed_links import may_see
from .conclusions import shown_steps
from .explaining import TOLD
from .looks import ModelAdmin


class ShownStep(NamedTuple):
    """A step, with its time in words and the address of the page that says more."""

    step: Step
    time: str
    url: str


class TellsStory(ModelAdmin):
    """Draws the timeline of a row; who may not view a kind of rows does not see what only these tell."""

    change_form_template: ClassVar[Any] = "admin/smsverify/story_change_form.html"
    technical: tuple[str, ...] = ()
    """The fields below, in a section that is opened by a click."""

    def timeline(self, row: Any) -> Timeline:
        """The story of a row."""
        raise NotImplementedError

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        return [(_("Technical details"), {"fields": self.technical, "classes": ["collapse"]})]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.technical

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        obj = kwargs.get("obj")
        if obj is not None:
            told = self.timeline(obj)
            may_read = all(request.user.has_perm(f"smsverify.view_{name}") for name in TOLD)
            context |= {"timeline": told if may_read else None, "steps": list(self._shown(request, told, obj))}
            context["next_steps"] = list(shown_steps(request, told.conclusion, self.admin_site.name))
        return super().render_change_form(request, context, *args, **kwargs)

    def _shown(self, request: HttpRequest, told: Timeline, own: Model) -> Iterator[ShownStep]:
        for step in told.steps:
            if request.user.has_perm(f"smsverify.view_{step.told_by._meta.model_name}"):
                yield ShownStep(step, moment(step.at), self._url(request, step, own))

    def _url(self, request: HttpRequest, step: Step, own: Model) -> str:
        if step.row is None or step.row == own or not may_see(request, str(step.row._meta.model_name)):
            return ""
        name = f"admin:smsverify_{step.row._meta.model_name}_change"
        return reverse(name, args=[step.row.pk], current_app=self.admin_site.name)
