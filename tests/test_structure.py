"""The shape of the package: which layer may know which, and how long things may be."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import django_smsverify
from tests.folding import Fold, folded

ROOT = Path(django_smsverify.__file__).parent
PACKAGE = "django_smsverify"
FILES = sorted(path for path in ROOT.rglob("*.py") if "migrations" not in path.parts)
LONGEST_FUNCTION, LONGEST_FILE = 30, 300

LAYERS = {
    name: rank
    for rank, names in enumerate(
        [
            "enums exceptions failures masked types",
            "conf characters phones codes console texts linting request_body",
            "gateways",
            "charsets fields querysets models transactions migrations",
            "signals shared_cache throttling circuits balances routing matching recording handover delivering waiting "
            "dispatch "
            "tasks pacing runs mailing recipients sending verifying hearing reviewing filing mending polling costs",
            "client_address serializers views webhooks urls admin checks site_checks openapi apps management",
        ]
    )
    for name in names.split()
}
"""The first part of a module's name to its rank; `testing` stands beside them."""
OUTSIDERS_USE = {"enums", "exceptions", "types", "conf", "masked", "phones", "codes", "texts", "linting", "gateways"}
DIALECTS_NEVER_KNOW = {"django.db", "django.core.cache", "django.conf", "django.dispatch", f"{PACKAGE}.conf"}


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


def ours(dotted: str) -> str:
    """The part of the package that a dotted name leads to; empty for what is not ours."""
    head, _, rest = dotted.partition(".")
    return rest.partition(".")[0] if head == PACKAGE else ""


def upward(path: Path) -> list[str]:
    """What a file imports that it should not know."""
    own = ours(name_of(path))
    found = {ours(dotted) for dotted in imports_of(path)} - {"", own, "__version__"}
    if own == "testing":
        return sorted(found - OUTSIDERS_USE)
    return sorted(part for part in found if LAYERS.get(part, 99) > LAYERS.get(own, -1))


def each_of(paths: list[Path]) -> Fold:
    return folded("path", paths, ids=name_of)


def test_every_module_stands_in_a_layer() -> None:
    found = {ours(name_of(path)) for path in ROOT.rglob("*.py")} - {""}

    assert found == LAYERS.keys() | {"testing"}


@each_of(FILES)
def test_a_module_imports_from_its_own_layer_downwards(path: Path) -> None:
    assert upward(path) == []


@each_of([path for path in FILES if path.parent.name == "gateways" and path.name != "__init__.py"])
def test_a_gateway_knows_neither_database_nor_cache_nor_settings(path: Path) -> None:
    forbidden = [
        dotted for dotted in imports_of(path) for never in DIALECTS_NEVER_KNOW if f"{dotted}.".startswith(f"{never}.")
    ]

    assert forbidden == []


@pytest.mark.parametrize(
    ("module", "line", "found"),
    [
        ("texts", "from .models import Message", ["models"]),
        ("texts", "from django_smsverify.models import Message", ["models"]),
        ("texts", "import django_smsverify.views", ["views"]),
        ("texts", "def f():\n    from . import sending", ["sending"]),
        ("gateways/acme", "from ..models import Message", ["models"]),
        ("gateways/acme", "from .. import fields, texts", ["fields"]),
        ("gateways/acme", "from .base import Gateway\nfrom ..enums import Reason\nimport json", []),
        ("views", "from .sending import send_code", []),
        ("testing", "from .models import Message", ["models"]),
        ("unheard_of", "from .enums import Reason", ["enums"]),
    ],
)
def test_an_import_upwards_would_be_seen(
    module: str, line: str, found: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{__name__}.ROOT", tmp_path / PACKAGE)
    path = (tmp_path / PACKAGE / module).with_suffix(".py")
    path.parent.mkdir(parents=True)
    path.write_text(line)

    assert upward(path) == found


@each_of(FILES)
def test_a_file_can_be_read_at_a_sitting(path: Path) -> None:
    lines = path.read_text().count("\n")

    assert lines <= LONGEST_FILE


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
