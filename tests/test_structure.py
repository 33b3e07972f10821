"""The structure of the package: which module may import which, and how long files and functions may be."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
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
    "addresses characters enums masked signals spreadsheets texts tracing",
    "carriers codes exceptions linting types",
    "conf gateways idempotency transactions",
    "http phones serializers",
    "events models",
    "limits numbers reviews statistics",
    "challenges diagnosis messages money verifying",
    "costs privacy reports",
    "journal sending webhooks",
    "operations views",
    "admin checks openapi polling",
    "apps contrib management tasks templatetags testing urls",
]
"""Every module or package at the top. It imports only from lower floors, so there is no circle of imports."""


class Rule(NamedTuple):
    modules: str
    """Modules of the package, or of one of its packages."""
    forbidden: str
    """Modules of the package, or dotted names of other libraries."""
    why: str


RULES = [
    Rule("gateways", "models conf limits signals", "a gateway needs no site: all that it needs comes with the account"),
    Rule("gateways", "django.db django.core.cache django.conf django.dispatch", "a gateway needs no site"),
    Rule("models", "messages limits verifying reviews reports money sending polling", "models only store data"),
    Rule(
        "challenges limits messages verifying reviews reports money",
        "sending",
        "sending uses them, they do not use sending",
    ),
    Rule("statistics", "money sending reports polling", "others read the sums and have them made"),
    Rule(
        "sending",
        "operations polling tasks admin views webhooks management",
        "a request does not wait for the periodic job",
    ),
    Rule("journal", "sending polling", "the story only reads what is stored"),
    Rule("linting", "models conf gateways", "the rules on refused texts are data"),
    Rule("carriers", "models conf gateways django.conf", "what is known of carriers is data"),
    Rule(
        "admin apps checks management operations polling sending tasks testing urls verifying views",
        "contrib",
        "a site chooses what it uses of it",
    ),
    Rule("testing.contract", "models conf limits sending reports", "a test of a third-party gateway needs no site"),
    Rule("testing.pytest_plugin", "conf models django", "pytest imports it before any site is set up"),
]


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def nodes_of(text: str) -> list[ast.AST]:
    """Everything in a file with this text, which many tests ask for."""
    return list(ast.walk(ast.parse(text)))


def imports_of(path: Path) -> Iterator[str]:
    """Every module or name that a file imports, anywhere in it, as an absolute dotted name."""
    package = path.relative_to(ROOT.parent).parent.parts
    for node in nodes_of(path.read_text()):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) + 1 - node.level] if node.level else ()
            yield from (".".join([*base, *filter(None, [node.module]), alias.name]) for alias in node.names)


def module_of(dotted: str) -> str:
    """The top module of a dotted name; empty for other libraries."""
    head, _, rest = dotted.partition(".")
    return rest.partition(".")[0] if head == PACKAGE else ""


def floor_of(module: str) -> int:
    return next((number for number, modules in enumerate(FLOORS) if module in modules.split()), -1)


def upward_imports(path: Path) -> list[str]:
    """The modules on its own floor or above that a file imports."""
    own = module_of(name_of(path))
    modules = {module_of(dotted) for dotted in imports_of(path)} - {"", own, "__version__"}
    top = floor_of(own) if own else len(FLOORS)  # the package itself is above all floors
    return sorted(module for module in modules if not 0 <= floor_of(module) < top)


def violations(path: Path, rule: Rule) -> list[str]:
    """The imports of a file that a rule forbids."""
    own = name_of(path)
    if not any(f"{own}.".startswith(f"{PACKAGE}.{module}.") for module in rule.modules.split()):
        return []
    forbidden = [name if "." in name else f"{PACKAGE}.{name}" for name in rule.forbidden.split()]
    return [dotted for dotted in imports_of(path) for name in forbidden if f"{dotted}.".startswith(f"{name}.")]


def private_imports(path: Path) -> list[str]:
    """The private names of other libraries that a file imports."""
    others = [dotted for dotted in imports_of(path) if not module_of(dotted)]
    return [dotted for dotted in others if any(re.match("_(?!_)", part) for part in dotted.split("."))]


def each_of(paths: list[Path]) -> Fold:
    return folded("path", paths, ids=name_of)


def test_every_module_is_on_one_floor() -> None:
    modules = [module for floor in FLOORS for module in floor.split()]

    assert sorted(modules) == sorted({module_of(name_of(path)) for path in FILES} - {""})
    assert len(FLOORS) <= 12


@each_of(FILES)
def test_imports_go_to_lower_floors_only(path: Path) -> None:
    assert upward_imports(path) == []


@folded("rule", RULES)
@each_of(FILES)
def test_every_rule_is_kept(rule: Rule, path: Path) -> None:
    assert violations(path, rule) == [], rule.why


@each_of(FILES)
def test_no_private_name_of_another_library_is_imported(path: Path) -> None:
    assert private_imports(path) == []


@each_of(FILES)
def test_a_file_is_not_too_long(path: Path) -> None:
    assert path.read_text().count("\n") <= LONGEST_FILE


@each_of(FILES)
def test_a_function_is_not_too_long(path: Path) -> None:
    functions = [
        node for node in nodes_of(path.read_text()) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    ]
    lengths = [(node.name, (node.end_lineno or 0) - node.lineno + 1) for node in functions]

    assert [(name, length) for name, length in lengths if length > LONGEST_FUNCTION] == []


@each_of([path for path in FILES if path.read_text()])
def test_a_file_has_a_docstring_and_the_annotations_import(path: Path) -> None:
    module = ast.parse(path.read_text())

    assert ast.get_docstring(module)
    futures = [node for node in module.body if isinstance(node, ast.ImportFrom) and node.module == "__future__"]
    assert [alias.name for node in futures for alias in node.names] == ["annotations"]


class TestDetection:
    """Each rule is broken by a temporary file, which the functions above must find."""

    @pytest.fixture
    def root(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
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
            ("unlisted", "from .enums import Reason", ["enums"]),
        ],
    )
    def test_an_upward_import_is_found(self, root: Path, module: str, line: str, found: list[str]) -> None:
        assert upward_imports(self.write(root, module, line)) == found

    @folded("rule", RULES)
    def test_a_broken_rule_is_found(self, root: Path, rule: Rule) -> None:
        for module in rule.modules.split():
            for name in rule.forbidden.split():
                line = f"from {name} import x" if "." in name else f"from django_smsverify.{name} import x"

                assert violations(self.write(root, f"{module.replace('.', '/')}/broken", line), rule)

    @folded("line", ["from x import _y", "from x._y import z", "import x._y"])
    def test_a_private_name_is_found(self, root: Path, line: str) -> None:
        assert private_imports(self.write(root, "limits/broken", line))

    @folded("line", ["from __future__ import annotations", "from ._x import y", "from x import y, __version__"])
    def test_dunder_and_relative_imports_are_not_private(self, root: Path, line: str) -> None:
        assert private_imports(self.write(root, "limits/sound", line)) == []
