"""Charts as SVG without text, which the site's own page can show at any width; each has a table beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.utils.formats import number_format
from django.utils.html import format_html
from django.utils.safestring import SafeString

from django_smsverify.journal.words import duration

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

WIDTH, HEIGHT = 10, 100
"""Of the place of one part, in units of the picture, which is stretched."""

Value = float | None


def count(value: Value) -> str:
    """A whole number for people."""
    return "-" if value is None else number_format(round(value), force_grouping=True)


def percent(value: Value) -> str:
    """A share for people; what is not all is never shown as 100 %."""
    if value is None:
        return "-"
    shown = min(value, 0.999) if value < 1 else value
    return f"{number_format(round(shown * 100, 1), 1)} %"


def seconds(value: Value) -> str:
    """A length of time in its largest fitting unit."""
    return "-" if value is None else duration(timedelta(seconds=value))


@dataclass(frozen=True, slots=True)
class Series:
    """The values of one kind, one for each part of the time, and the class of their colour."""

    label: StrOrPromise
    colour: str
    values: Sequence[Value]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """Series over the same parts of a time."""

    title: StrOrPromise
    labels: Sequence[str]
    series: Sequence[Series]
    shown: Callable[[Value], str] = count
    is_stacked: bool = False
    top: float
    """The value at the upper edge."""

    @property
    def width(self) -> int:
        """Of the picture, in its units."""
        return WIDTH * len(self.labels)

    @property
    def edge(self) -> str:
        """The value at the upper edge, for people."""
        return self.shown(self.top)

    @property
    def axis(self) -> list[str]:
        """The labels that are shown below: the first, the one in the middle and the last."""
        return [self.labels[0], self.labels[len(self.labels) // 2], self.labels[-1]]

    @property
    def rows(self) -> list[tuple[str, list[str]]]:
        """The table: each part of the time with its values."""
        return [
            (label, [self.shown(one.values[place]) for one in self.series]) for place, label in enumerate(self.labels)
        ]

    @property
    def hints(self) -> Iterator[dict[str, Any]]:
        """What is told of each part under the pointer."""
        for place, (label, values) in enumerate(self.rows):
            told = (f"{one.label}: {value}" for one, value in zip(self.series, values, strict=True))
            yield {"x": place * WIDTH, "words": "\n".join([label, *told])}

    @property
    def bars(self) -> Iterator[dict[str, Any]]:
        """The columns, each series upon the one before."""
        for place in range(len(self.labels) if self.is_stacked else 0):
            below = 0.0
            for one in self.series:
                height = (one.values[place] or 0) / self.top * HEIGHT
                if height:
                    yield {
                        "x": place * WIDTH + 1,
                        "y": f"{HEIGHT - below - height:.2f}",
                        "height": f"{height:.2f}",
                        "colour": one.colour,
                    }
                below += height

    @property
    def lines(self) -> Iterator[dict[str, str]]:
        """A line for each series, with a gap where a part has no value."""
        for one in () if self.is_stacked else self.series:
            yield {"colour": one.colour, "path": " ".join(self._strokes(one.values))}

    def _strokes(self, values: Sequence[Value]) -> Iterator[str]:
        pen = "M"
        for place, value in enumerate(values):
            if value is None:
                pen = "M"
                continue
            x, y = place * WIDTH + WIDTH / 2, HEIGHT - value / self.top * HEIGHT
            yield f"{pen}{x:g} {y:.2f}" + (f"h{WIDTH / 10:g}" if pen == "M" else "")
            pen = "L"


def columns(title: StrOrPromise, labels: Sequence[str], series: Sequence[Series]) -> Chart:
    """Stacked columns of counts."""
    sums = [sum(one.values[place] or 0 for one in series) for place in range(len(labels))]
    return Chart(title=title, labels=labels, series=series, is_stacked=True, top=_round_up(max(sums)))


def lines(title: StrOrPromise, labels: Sequence[str], series: Sequence[Series], shown: Callable[[Value], str]) -> Chart:
    """Lines of shares, of which the upper edge is all, or of anything else."""
    most = max((value for one in series for value in one.values if value is not None), default=0)
    top = 1.0 if shown is percent else _round_up(most)
    return Chart(title=title, labels=labels, series=series, shown=shown, top=top)


def meter(value: Value, colour: str) -> SafeString:
    """A share as a bar; the words stand beside it."""
    if value is None:
        return SafeString("")
    bar = '<svg class="sv-meter" viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true">{}{}</svg>'
    parts = (("ground", "100"), (colour, f"{value * 100:.1f}"))
    return format_html(bar, *(format_html('<rect class="{}" width="{}" height="6"/>', *part) for part in parts))


def _round_up(value: float) -> float:
    """The next number of one digit and zeros."""
    if value <= 5:
        return 5.0
    step = 10 ** (len(str(int(value))) - 1)
    return float(-(-value // step) * step)
