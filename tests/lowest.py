"""Writes pip's constraints for the lower bound of every run-time dependency: python tests/lowest.py FILE"""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

PYPROJECT = Path(__file__).parent.parent / "pyproject.toml"


def lower_bounds() -> Iterator[str]:
    """Lines such as "django==5.2.3", for the dependencies of the package and its extras."""
    project = tomllib.loads(PYPROJECT.read_text())["project"]
    for requirement in sum(project["optional-dependencies"].values(), project["dependencies"]):
        bound = re.match(r"([a-z0-9-]+)>=([0-9.]+)", requirement)
        if bound is None:
            raise ValueError(f"{requirement!r} in pyproject.toml has no lower bound: write it as name>=version.")
        yield f"{bound[1]}=={bound[2]}"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text("\n".join(lower_bounds()) + "\n")
