"""The plan of the house: which room may know which, and how long things may be."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

import django_smsverify
from tests.folding import Fold, folded

ROOT = Path(django_smsverify.__file__).parent
PACKAGE = "django_smsverify"
FILES = sorted(path for path in ROOT.rglob("*.py") if "migrations" not in path.parts)
LONGEST_FUNCTION, LONGEST_FILE = 30, 400

FLOORS = [
    "addresses characters enums masked signals texts",
    "codes exceptions linting types",
    "conf gateways transactions",
    "http phones serializers testing",
    "models",
    "limits messages reviews verifying",
    "checks money reports",
    "costs sending webhooks",
    "admin polling views",
    "management openapi tasks urls",
    "apps",
]
"""Every room, a file or a folder of the package. It knows only rooms below its own: thus there is no circle."""


class Law(NamedTuple):
    rooms: str
    never: str
    """Rooms of ours, or dotted names of other libraries."""
    why: str


LAWS = [
    Law("gateways", "models conf limits signals", "a vendor's dialect needs no site: its account brings what it needs"),
    Law("gateways", "django.db django.core.cache django.conf django.dispatch", "a vendor's dialect needs no site"),
    Law("models", "messages limits verifying reviews reports money sending polling", "what remembers does nothing"),
    Law("limits messages verifying reviews reports money", "sending", "a send uses them, and not they a send"),
    Law("sending", "polling tasks admin views webhooks management", "a request does not wait for the periodic job"),
    Law("linting", "models conf gateways", "what a vendor refuses is data"),
    Law("testing", "models conf limits sending reports", "an outsider's test needs no site"),
]


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_of(path: Path) -> Iterator[str]:
    """Every module or name that a file imports, wherever it does, as an absolute dotted name."""
    package = path.relative_to(ROOT.parent).parent.parts
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) + 1 - node.level] if node.level else ()
            yield from (".".join([*base, *filter(None, [node.module]), alias.name]) for alias in node.names)


def room_of(dotted: str) -> str:
    """The room that a dotted name leads to; empty for what is not ours."""
    head, _, rest = dotted.partition(".")
    return rest.partition(".")[0] if head == PACKAGE else ""


def floor_of(room: str) -> int:
    return next((number for number, rooms in enumerate(FLOORS) if room in rooms.split()), -1)


def climbing(path: Path) -> list[str]:
    """What a file imports from its own floor or from above."""
    own = room_of(name_of(path))
    rooms = {room_of(dotted) for dotted in imports_of(path)} - {"", own, "__version__"}
    top = floor_of(own) if own else len(FLOORS)  # the package itself is the roof: it only names what stands below
    return sorted(room for room in rooms if not 0 <= floor_of(room) < top)


def breaches(path: Path, law: Law) -> list[str]:
    """The imports of a file that a law forbids."""
    if room_of(name_of(path)) not in law.rooms.split():
        return []
    never = [word if "." in word else f"{PACKAGE}.{word}" for word in law.never.split()]
    return [dotted for dotted in imports_of(path) for word in never if f"{dotted}.".startswith(f"{word}.")]


def private(path: Path) -> list[str]:
    """What a file imports of other libraries that these keep for themselves."""
    others = [dotted for dotted in imports_of(path) if not room_of(dotted)]
    return [dotted for dotted in others if any(re.match("_(?!_)", part) for part in dotted.split("."))]


def each_of(paths: list[Path]) -> Fold:
    return folded("path", paths, ids=name_of)


def test_every_room_stands_on_one_floor() -> None:
    rooms = [room for floor in FLOORS for room in floor.split()]

    assert sorted(rooms) == sorted({room_of(name_of(path)) for path in FILES} - {""})
    assert len(FLOORS) <= 12


@each_of(FILES)
def test_no_import_climbs(path: Path) -> None:
    assert climbing(path) == []


@folded("law", LAWS)
@each_of(FILES)
def test_a_law_is_kept(law: Law, path: Path) -> None:
    assert breaches(path, law) == [], law.why


@each_of(FILES)
def test_nothing_private_of_another_library_is_used(path: Path) -> None:
    assert private(path) == []


@each_of(FILES)
def test_a_file_can_be_read_at_a_sitting(path: Path) -> None:
    assert path.read_text().count("\n") <= LONGEST_FILE


@each_of(FILES)
def test_a_function_fits_a_screen(path: Path) -> None:
    functions = [
        node
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    ]
    lengths = [(node.name, (node.end_lineno or 0) - node.lineno + 1) for node in functions]

    assert [(name, length) for name, length in lengths if length > LONGEST_FUNCTION] == []


@each_of([path for path in FILES if path.read_text()])
def test_a_file_says_what_it_is_for(path: Path) -> None:
    module = ast.parse(path.read_text())

    assert ast.get_docstring(module)
    futures = [node for node in module.body if isinstance(node, ast.ImportFrom) and node.module == "__future__"]
    assert [alias.name for node in futures for alias in node.names] == ["annotations"]


class TestWhatWouldBeSeen:
    """Each law is broken once, by a file that is not there."""

    @pytest.fixture
    def written(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        monkeypatch.setattr(f"{__name__}.ROOT", tmp_path / PACKAGE)
        return tmp_path / PACKAGE

    def write(self, root: Path, module: str, line: str) -> Path:
        path = (root / module).with_suffix(".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(line)
        return path

    @folded(
        "module, line, found",
        [
            ("texts", "from .models import Message", ["models"]),
            ("texts", "import django_smsverify.views", ["views"]),
            ("texts", "def f():\n    from . import sending", ["sending"]),
            ("gateways/acme", "from ..models import Message", ["models"]),
            ("gateways/acme", "from .. import models, texts", ["models"]),
            ("gateways/acme", "from .base import Gateway\nfrom ..enums import Reason\nimport json", []),
            ("views", "from .sending import send_code", []),
            ("limits/shared", "from django_smsverify.reviews.actions import submit", ["reviews"]),
            ("unheard_of", "from .enums import Reason", ["enums"]),
        ],
    )
    def test_an_import_that_climbs(self, written: Path, module: str, line: str, found: list[str]) -> None:
        assert climbing(self.write(written, module, line)) == found

    @folded("law", LAWS)
    def test_a_broken_law(self, written: Path, law: Law) -> None:
        for room in law.rooms.split():
            for word in law.never.split():
                line = f"from {word} import x" if "." in word else f"from django_smsverify.{word} import x"

                assert breaches(self.write(written, f"{room}/broken", line), law)

    @folded("line", ["from x import _y", "from x._y import z", "import x._y"])
    def test_a_private_name(self, written: Path, line: str) -> None:
        assert private(self.write(written, "limits/broken", line))

    @folded("line", ["from __future__ import annotations", "from ._x import y", "from x import y, __version__"])
    def test_what_is_no_private_name(self, written: Path, line: str) -> None:
        assert private(self.write(written, "limits/sound", line)) == []
