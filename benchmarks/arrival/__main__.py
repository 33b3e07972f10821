"""Prints how soon codes arrive while a vendor fails, as the table of docs/arrival.rst.

    python -m benchmarks.arrival --people 1000

There are two vendors. Of each of three carriers so many people ask for a code, one every three seconds; a fifth as many
where nothing but the ratio matters. Who has none after a minute asks again, twice at most.
"""

from __future__ import annotations

import logging
from argparse import ArgumentParser, RawDescriptionHelpFormatter

import django
from django.conf import settings
from django.core.management import call_command


def main() -> None:
    parser = ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=1000, help="of each carrier")
    options = parser.parse_args()
    set_up()
    from .table import print_table  # needs the settings

    print_table(options.people)


def set_up() -> None:
    """A site in memory."""
    local_memory = {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "OPTIONS": {"MAX_ENTRIES": 10**6}}
    settings.configure(
        SECRET_KEY="benchmarks",  # noqa: S106 - of nothing
        INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "django_smsverify"],
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
        CACHES={"default": local_memory},
        USE_TZ=True,
    )
    django.setup()
    logging.getLogger("django_smsverify").setLevel(logging.CRITICAL)
    call_command("migrate", verbosity=0)


if __name__ == "__main__":
    main()
