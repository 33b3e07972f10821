"""The documents at the root describe the repository correctly."""

from __future__ import annotations

import re
import tomllib
from typing import Any

import pytest

from tests.folding import folded

from .papers import ROOT, Paper
from .test_structure import FLOORS, LONGEST_FILE, LONGEST_FUNCTION

CONTRIBUTING, SECURITY = Paper("CONTRIBUTING.rst"), Paper("SECURITY.rst")
TARGETS = re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE)
TEST_FILE = re.compile(r"tests/\S+\.py")
LAWS = 13
NOT_YET = {11}


@pytest.fixture(scope="module")
def pyproject() -> Any:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


@folded("name", sorted(path.name for path in ROOT.glob("*.rst")))
def test_a_document_is_valid(name: str) -> None:
    assert Paper(name).tree


def test_contributing_names_every_command_of_make() -> None:
    rows = [command for command, *_ in CONTRIBUTING.cells() if command.startswith("make ")]

    assert sorted(rows) == sorted(f"make {target}" for target in TARGETS)


def test_contributing_lists_the_levels_of_the_package() -> None:
    rows = [row for row in CONTRIBUTING.cells() if row[0].isdecimal()]

    assert [(int(number), sorted(modules.split())) for number, modules, _ in rows] == [
        (number, sorted(modules.split())) for number, modules in reversed([*enumerate(FLOORS, 1)])
    ]


def test_contributing_names_the_size_limits(pyproject: Any) -> None:
    tools = pyproject["tool"]

    assert f"Functions have {LONGEST_FUNCTION} lines at most, files {LONGEST_FILE}" in CONTRIBUTING.text
    assert f"lines {tools['ruff']['line-length']} characters" in CONTRIBUTING.text
    assert f"must be {tools['coverage']['report']['fail_under']} per cent" in CONTRIBUTING.text


def test_security_names_the_tests_of_every_law_in_force() -> None:
    rows = {int(row[0]): TEST_FILE.findall(row[3]) for row in SECURITY.cells() if row[0].isdecimal()}

    assert rows.keys() == set(range(1, LAWS + 1)) - NOT_YET
    assert all(rows.values())


@folded("paper", [CONTRIBUTING, SECURITY], ids=lambda paper: paper.name)
def test_every_file_that_is_named_exists(paper: Paper) -> None:
    named = re.findall(r"``((?:tests|example_project|\.ci)/\S+|[A-Z]+\.rst)``", paper.text)

    assert named
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_a_source_distribution_contains_the_documents(pyproject: Any) -> None:
    assert "/*.rst" in pyproject["tool"]["hatch"]["build"]["targets"]["sdist"]["include"]
    assert pyproject["project"]["readme"] == "README.rst"
