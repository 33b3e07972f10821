"""The OpenAPI schema of the demo: its answers are what the schema says, and a TypeScript client compiles.

`make .venv-contract/ready` installs schemathesis and the compiler; with REQUIRE_SERVICES, missing ones are a failure.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

import pytest

from .conftest import MANAGE, Demo, running

TOOLS = MANAGE.parents[1] / ".venv-contract"
CONTRACT = Path(__file__).parent / "contract"

if not (TOOLS / "ready").exists() and not os.environ.get("REQUIRE_SERVICES"):
    pytest.skip("`make .venv-contract/ready` was not called", allow_module_level=True)


@pytest.fixture(scope="module")
def own_demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """A demo that no other test uses: hundreds of sends without a verified code would close it to new numbers."""
    with running(tmp_path_factory.mktemp("demo")) as started:
        yield started


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of what the tools read, as they write beside it."""
    return shutil.copytree(CONTRACT, tmp_path / "contract")


def succeed(*command: str | Path, folder: Path) -> str:
    """The output of a command of the tools, which must end without an error."""
    environment = {**os.environ, "PATH": os.pathsep.join([str(TOOLS / "bin"), os.environ["PATH"]])}
    done = subprocess.run(
        [str(word) for word in command], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_every_answer_is_one_that_the_schema_describes(own_demo: Demo, folder: Path) -> None:
    output = succeed("schemathesis", "run", f"{own_demo.url}api/schema/", "--no-color", folder=folder)

    assert "4 selected / 4 total" in output
    assert "3 covered / 3 selected" in output, "the steps from one operation to the next were tried"
    assert own_demo.stored("SELECT COUNT(verified_at) FROM smsverify_verification") > [0]


def test_a_typescript_client_compiles(own_demo: Demo, folder: Path) -> None:
    page = (MANAGE.parents[1] / "docs" / "endpoints.rst").read_text()
    (of_the_docs,) = re.findall(r"code-block:: typescript\n\n((?: {4}.*\n|\n)+)", page)
    (folder / "docs.ts").write_text(dedent(of_the_docs))
    (folder / "node_modules").symlink_to(TOOLS / "node_modules")
    commands = folder / "node_modules" / ".bin"

    succeed(commands / "openapi-typescript", f"{own_demo.url}api/schema/", "--output", "api.ts", folder=folder)

    options = ("--strict", "--noEmit", "--module", "nodenext", "--target", "es2022")
    succeed(commands / "tsc", *options, "client.ts", "docs.ts", folder=folder)
