"""The interpreters: peers have a virtual environment of their own, made from the dependency group `bench`."""

from __future__ import annotations

import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / ".venv-bench"


def peers_python() -> str:
    """The interpreter of the peers, made if it is not there or pyproject.toml has changed."""
    python, ready, wanted = FOLDER / "bin" / "python", FOLDER / "ready", ROOT / "pyproject.toml"
    if not ready.exists() or ready.stat().st_mtime < wanted.stat().st_mtime:
        print(f"Installing the peers into {FOLDER.name}", file=sys.stderr, flush=True)
        venv.create(FOLDER, with_pip=True)
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "--upgrade", "pip>=25.1"], check=True, cwd=ROOT)  # noqa: S603
        subprocess.run([*pip, "--group", "bench"], check=True, cwd=ROOT)  # noqa: S603
        ready.touch()
    return str(python)
