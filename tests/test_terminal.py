"""What a command shows while it works."""

from __future__ import annotations

import io
import sys

import pytest

from django_smsverify.management.terminal import progress_bar


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def shown(monkeypatch: pytest.MonkeyPatch, stderr: io.StringIO, *, has_tqdm: bool) -> str:
    monkeypatch.setattr(sys, "stderr", stderr)
    if not has_tqdm:
        monkeypatch.setitem(sys.modules, "tqdm", None)
    with progress_bar("question") as show:
        for done in range(1, 41):
            show(done, 40)
    return stderr.getvalue()


def test_a_bar_is_drawn_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("tqdm")

    assert "question" in shown(monkeypatch, Terminal(), has_tqdm=True)


def test_without_tqdm_each_tenth_is_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = shown(monkeypatch, Terminal(), has_tqdm=False).splitlines()

    assert lines == [f"{done} of 40 questions" for done in range(4, 41, 4)]


@pytest.mark.parametrize("has_tqdm", [True, False])
def test_nothing_is_shown_without_a_terminal(has_tqdm: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    assert shown(monkeypatch, io.StringIO(), has_tqdm=has_tqdm) == ""
