"""The Simplified Chinese translation is complete, and its compiled file is up to date."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import polib
import pytest

ROOT = Path(__file__).parent.parent
CATALOGUES = sorted(ROOT.glob("*/locale/zh_Hans/LC_MESSAGES/*.po")) + sorted(
    ROOT.glob("example_project/*/locale/zh_Hans/LC_MESSAGES/*.po")
)
PLACEHOLDER = re.compile(r"%\(\w+\)[sd]|%[sd]|\{\w+\}")


@pytest.mark.parametrize("path", CATALOGUES, ids=lambda path: path.parts[-5])
def test_every_sentence_is_translated(path: Path) -> None:
    catalogue = polib.pofile(str(path))

    assert [entry.msgid for entry in catalogue.untranslated_entries()] == []
    assert [entry.msgid for entry in catalogue.fuzzy_entries()] == []
    for entry in catalogue:
        for translation in [entry.msgstr, *entry.msgstr_plural.values()]:
            if translation:
                assert sorted(PLACEHOLDER.findall(translation)) == sorted(PLACEHOLDER.findall(entry.msgid))


@pytest.mark.parametrize("path", CATALOGUES, ids=lambda path: path.parts[-5])
def test_the_compiled_catalogue_is_up_to_date(path: Path) -> None:
    written = {entry.msgid: (entry.msgstr, entry.msgstr_plural) for entry in polib.pofile(str(path))}
    compiled = {
        entry.msgid: (entry.msgstr, entry.msgstr_plural) for entry in polib.mofile(str(path.with_suffix(".mo")))
    }

    assert compiled == written


@pytest.mark.skipif(shutil.which("xgettext") is None, reason="GNU gettext is not installed")
def test_every_sentence_of_the_source_is_in_the_catalogue(tmp_path: Path) -> None:
    package = tmp_path / "django_smsverify"
    shutil.copytree(ROOT / "django_smsverify", package)
    known = {entry.msgid for entry in polib.pofile(str(ROOT / CATALOGUES[0]))}

    # -P: the package has a module named like one of the standard library.
    command = [sys.executable, "-P", "-m", "django", "makemessages", "--locale", "zh_Hans", "--no-location"]
    subprocess.run(command, cwd=package, check=True, capture_output=True, env={"PATH": "/usr/bin:/bin"})

    collected = polib.pofile(str(package / "locale/zh_Hans/LC_MESSAGES/django.po"))
    assert {entry.msgid for entry in collected if not entry.obsolete} == known
