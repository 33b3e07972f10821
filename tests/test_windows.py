"""The package runs on any system: import and sending need nothing that Windows lacks."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import django_smsverify

from .gateways.support import ACCEPTED, Vendor
from .on_windows import OF_OTHER_APPS

ROOT = Path(django_smsverify.__file__).parent


@pytest.mark.slow
def test_the_package_is_imported_and_sends_without_what_windows_lacks() -> None:
    env = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
    env |= {"PYTHONPATH": os.pathsep.join((str(ROOT.parent), os.environ.get("PYTHONPATH", ""))), "PYTHONUTF8": "1"}
    with Vendor(ACCEPTED["topthink"]) as server:
        command = [sys.executable, "-W", "error", "-m", "tests.on_windows", server.url]
        done = subprocess.run(command, cwd=ROOT.parent, env=env, capture_output=True, text=True, timeout=120)

    assert done.returncode == 0, done.stderr
    paths = (path.parent if path.stem == "__init__" else path.with_suffix("") for path in ROOT.rglob("*.py"))
    modules = {".".join(path.relative_to(ROOT.parent).parts) for path in paths} - {"django_smsverify"}
    imported = {line for line in done.stdout.splitlines() if line.startswith("django_smsverify.")}
    assert imported == {name for name in modules if not name.startswith(OF_OTHER_APPS)}
    assert "v: accepted" in done.stdout
    assert [call.line for call in server.received] == ["POST /sms/send HTTP/1.1"]
