"""Proves the catalogue: takes the defence against each attack out of a copy of the package, where it must succeed.

`python -m tests.attacks.prove [name …]`, such as `bombing.many_addresses`; without a name all. Exits with 1 if a
test passes although its defence is missing, or fails for another reason than that.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from .catalogue import node_of
from .defences import DEFENCES, PACKAGE

ROOT = Path(__file__).parents[2]
COPIED = (PACKAGE, "example_project", "tests")
TRIES = 3
"""How often a test is run until it fails: a race may go well by chance."""
TIMEOUT = 300
"""Seconds for one run."""
QUIETLY = ("-q", "--tb=no", "-p", "no:cacheprovider", "-p", "no:randomly", "-p", "no:xdist")
ASSERTED = re.compile(r"^FAILED .* - (assert|AssertionError|Failed: DID NOT RAISE)", re.MULTILINE)
CRASHED = re.compile(r"Internal Server Error|The webhook of \S+ failed")


class Run(NamedTuple):
    """What pytest said."""

    status: int
    output: str
    errors: str
    """What the site has logged."""


class Proof(NamedTuple):
    """What became of one attack without its defence."""

    attack: str
    verdict: str
    """`succeeds`, as it must; `STOPPED` by something else; `BROKEN`: the change broke more than the defence."""
    seconds: float

    def __str__(self) -> str:
        return f"{self.attack:<50} {DEFENCES[self.attack].file:<32} {self.seconds:5.1f} s  {self.verdict}"


def run(root: Path, attacks: Sequence[str]) -> Run:
    """Runs the tests of these attacks on the package below `root`."""
    with tempfile.NamedTemporaryFile("r", encoding="utf-8") as log:
        kept = (f"--log-file={log.name}", "--log-file-level=ERROR")
        done = subprocess.run(
            [sys.executable, "-m", "pytest", *QUIETLY, *kept, *map(node_of, attacks)],
            cwd=root,
            env={**os.environ, "PYTHONPATH": f"{root}{os.pathsep}{root / 'example_project'}", "COLUMNS": "200"},
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
        )
        return Run(done.returncode, done.stdout + done.stderr, log.read())


def prove(attack: str) -> Proof:
    """Takes the defence out, and runs the test; raises ValueError if the defence is not found in the source."""
    start = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="attack-") as folder:
        root = Path(folder)
        for name in COPIED:
            shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("var"))
        shutil.copy(ROOT / "pyproject.toml", root)
        DEFENCES[attack].apply(root)
        return Proof(attack, verdict(root, attack), time.monotonic() - start)


def verdict(root: Path, attack: str) -> str:
    """Returns what became of an attack on the changed package below `root`."""
    for _ in range(TRIES):
        status, output, errors = run(root, [attack])
        if status == 0:
            continue
        is_expected = bool(CRASHED.search(errors)) == DEFENCES[attack].crashes
        return "succeeds" if status == 1 and ASSERTED.search(output) and is_expected else f"BROKEN\n{output}\n{errors}"
    return "STOPPED"


def main(names: Sequence[str]) -> int:
    """Proves these attacks, or all; returns the exit status."""
    if unknown := [name for name in names if name not in DEFENCES]:
        print(f"There is no attack {', '.join(unknown)}. There are:", *DEFENCES, sep="\n")
        return 2
    chosen = list(names or DEFENCES)
    with_all = run(ROOT, chosen)
    if with_all.status:
        print("With all defences these tests must pass:", with_all.output, sep="\n")
        return 1
    print(f"With all defences {len(chosen)} attacks are stopped. Without its own, each must succeed:", flush=True)
    verdicts: Counter[str] = Counter()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for proof in pool.map(prove, chosen):
            print(proof, flush=True)
            verdicts[proof.verdict.partition("\n")[0]] += 1
    print(", ".join(f"{count} {word}" for word, count in verdicts.items()))
    return int(verdicts.keys() != {"succeeds"})


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
