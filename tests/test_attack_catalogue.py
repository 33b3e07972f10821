"""The catalogue of attacks is complete: each has its defence in the source, its line in the docs, and a proof."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from .attacks import prove
from .attacks.catalogue import KINDS, all_attacks, table_of
from .attacks.defences import DEFENCES, PACKAGE, Mutation

ROOT = Path(__file__).parent.parent


def test_each_attack_has_a_defence() -> None:
    assert list(DEFENCES) == list(all_attacks())


def test_each_kind_is_listed() -> None:
    assert {f"test_{kind}.py" for kind in KINDS} == {path.name for path in (ROOT / "tests/attacks").glob("test_*.py")}


def test_each_attack_says_what_it_does_and_what_stops_it() -> None:
    unsaid = [name for name, attack in all_attacks().items() if not (attack.what and attack.defence)]

    assert not unsaid, "the docstring of the test is `What the attacker does: what stops it.`"


@pytest.mark.parametrize("kind", KINDS)
def test_the_docs_list_all_attacks(kind: str) -> None:
    assert table_of(kind) in (ROOT / "docs/security.rst").read_text("utf-8")


def test_each_defence_is_found_once_and_can_be_taken_out() -> None:
    for name, change in DEFENCES.items():
        changed = change.applied_to((ROOT / PACKAGE / change.file).read_text("utf-8"))
        assert change.old != change.new, name
        compile(changed, name, "exec")


@pytest.mark.parametrize("source", ["", "old old"])
def test_a_defence_that_is_not_found_once_is_an_error(source: str) -> None:
    with pytest.raises(ValueError, match="and not once"):
        Mutation("views.py", "old", "new").applied_to(source)


@pytest.mark.slow
class TestProof:
    NAME = "input.smuggled_fields"

    @pytest.fixture(autouse=True)
    def _restored(self) -> Iterator[None]:
        kept = DEFENCES[self.NAME]
        yield
        DEFENCES[self.NAME] = kept

    def test_an_attack_succeeds_without_its_defence(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert prove.main([self.NAME]) == 0
        assert capsys.readouterr().out.endswith("1 succeeds\n")

    @pytest.mark.parametrize(
        ("old", "new", "verdict"),
        [("SHOWN = 40", "SHOWN = 41", "STOPPED"), ("SHOWN = 40", "SHOWN = 40 / 0", "BROKEN")],
    )
    def test_a_change_that_proves_nothing_is_told(
        self, old: str, new: str, verdict: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        DEFENCES[self.NAME] = Mutation("serializers.py", old, new)

        assert prove.main([self.NAME]) == 1
        assert capsys.readouterr().out.endswith(f"1 {verdict}\n")

    def test_a_name_that_is_unknown_is_told(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert prove.main(["x"]) == 2
        assert "There is no attack x." in capsys.readouterr().out
