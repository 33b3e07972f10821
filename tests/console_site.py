"""A site in a process of its own that runs management commands: python -m tests.console_site DATABASE COMMANDS

DATABASE is the name of a database that has the site's rows, COMMANDS a JSON list of command lines. Standard output has
a line with each command before its output; standard error ends with a JSON list of the results.
"""

from __future__ import annotations

import json
import sys
import traceback

import django
from django.conf import settings
from django.core.management import execute_from_command_line


def main(database: str, commands: list[list[str]]) -> None:
    from tests import settings as suite

    own = {name: getattr(suite, name) for name in dir(suite) if name.isupper()}
    own["DATABASES"] = {"default": {**suite.DATABASES["default"], "NAME": database}}
    settings.configure(**own)
    django.setup()
    print(json.dumps([run(command) for command in commands]), file=sys.stderr)


def run(command: list[str]) -> str:
    print(f"== {command[0]}", flush=True)
    try:
        execute_from_command_line(["manage.py", *command])
    except SystemExit as end:
        return f"exit {end.code}"
    except Exception as error:
        traceback.print_exc()
        return type(error).__name__
    return "done"


if __name__ == "__main__":
    main(sys.argv[1], json.loads(sys.argv[2]))
