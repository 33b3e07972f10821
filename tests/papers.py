"""The documents of the repository, parsed by docutils."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import textwrap
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest
from docutils import nodes
from docutils.core import publish_doctree

ROOT = Path(__file__).parent.parent
PAGES = "https://django-smsverify.readthedocs.io/en/latest/"
WARNING = 2

with_curl = pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")


class Paper:
    """One document in reStructuredText; parsing it fails at the first warning."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.text = (ROOT / name).read_text("utf-8")

    @cached_property
    def tree(self) -> Any:
        strict = {"halt_level": WARNING, "report_level": WARNING, "syntax_highlight": "none", "_disable_config": True}
        return publish_doctree(self.text, source_path=self.name, settings_overrides=strict)

    @cached_property
    def snippets(self) -> list[str]:
        """The blocks of Python in it."""
        return [block.astext() for block in self.tree.findall(nodes.literal_block) if "python" in block["classes"]]

    @cached_property
    def commands(self) -> list[str]:
        """The shell commands in it, one by one."""
        blocks = [block.astext() for block in self.tree.findall(nodes.literal_block) if not block["classes"]]
        lines = "\n".join(re.sub(r"\\\n\s*", "", block) for block in blocks).splitlines()
        return [line for line in lines if line.strip()]

    def call(self, path: str) -> str:
        """The one curl command that calls a path."""
        (found,) = [command for command in self.commands if command.startswith("curl") and path in command]
        return found

    @cached_property
    def pictures(self) -> list[str]:
        return [picture["uri"] for picture in self.tree.findall(nodes.image)]

    @cached_property
    def links(self) -> list[str]:
        """The targets of its links, in order."""
        return [link["refuri"] for link in self.tree.findall(nodes.reference) if "refuri" in link]

    @property
    def shape(self) -> list[tuple[str, int]]:
        """The type and depth of each part, in order; they do not depend on the language of the text."""
        kinds = (nodes.title, nodes.image, nodes.literal_block, nodes.bullet_list, nodes.enumerated_list, nodes.table)
        return [(type(part).__name__, depth(part)) for part in self.tree.findall(lambda node: isinstance(node, kinds))]

    def cells(self) -> list[list[str]]:
        """The rows of its tables."""
        return [[cell.astext() for cell in row.findall(nodes.entry)] for row in self.tree.findall(nodes.row)]


def snippet_of_docs(start: str) -> str:
    """The one Python snippet of the documentation with a line that begins with `start`."""
    block = re.compile(r"^( *)\.\. code-block:: python\n\n((?:\1 +.*\n|\n)+)", re.MULTILINE)
    pages = [page.read_text("utf-8") for page in sorted((ROOT / "docs").glob("*.rst"))]
    snippets = [textwrap.dedent(body).strip() + "\n" for page in pages for _, body in block.findall(page)]
    (found,) = [code for code in snippets if re.search(f"^{re.escape(start)}", code, re.MULTILINE)]
    return found


def depth(node: Any) -> int:
    return 0 if node.parent is None else 1 + depth(node.parent)


def curl(command: str, url: str, **values: str) -> Any:
    """The response to a curl command written for `make demo`; `…` stands for a value of an earlier response."""
    for name, value in values.items():
        command = command.replace(f'"{name}": "…"', f'"{name}": "{value}"')
    arguments = shlex.split(command.replace("http://127.0.0.1:8000", url))
    done = subprocess.run([*arguments, "--silent", "--noproxy", "*"], capture_output=True, check=True)
    return json.loads(done.stdout)
