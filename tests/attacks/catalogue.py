"""The list of all attacks, as their tests state it."""

from __future__ import annotations

from importlib import import_module
from typing import NamedTuple

KINDS = ("bombing", "pumping", "evading", "guessing", "callbacks", "probing", "input", "outages")


class Attack(NamedTuple):
    """One attack and its test."""

    what: str
    """What the attacker does."""
    defence: str
    """What stops it."""


def node_of(attack: str) -> str:
    """Returns the test of an attack as pytest names it, from the root of the project."""
    kind, _, name = attack.partition(".")
    return f"tests/attacks/test_{kind}.py::test_{name}"


def attacks_of(kind: str) -> dict[str, Attack]:
    """Returns the attacks of a kind by their names, such as `bombing.many_addresses`, in the order of their tests."""
    module = import_module(f"tests.attacks.test_{kind}")
    tests = {name: value for name, value in vars(module).items() if name.startswith("test_") and callable(value)}
    found = {}
    for name, test in tests.items():
        what, _, defence = (test.__doc__ or "").removesuffix(".").partition(": ")
        found[f"{kind}.{name.removeprefix('test_')}"] = Attack(what, defence)
    return found


def all_attacks() -> dict[str, Attack]:
    """Returns the attacks of all kinds."""
    return {name: attack for kind in KINDS for name, attack in attacks_of(kind).items()}


def table_of(kind: str) -> str:
    """Returns the table of a kind as the documentation has it."""
    title = str(import_module(f"tests.attacks.test_{kind}").__doc__).removesuffix(".")
    head = [f".. csv-table:: {title}", "   :header: attack|what stops it", "   :delim: |", ""]
    rows = [f"   {attack.what}|{attack.defence}" for attack in attacks_of(kind).values()]
    return "\n".join([*head, *rows, ""])
