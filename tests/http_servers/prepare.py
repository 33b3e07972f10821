"""Makes the database of the site and prints the secrets of its webhooks.

python -m tests.http_servers.prepare '{"ihuyi": "http://127.0.0.1:8001/ihuyi", …}'
"""

from __future__ import annotations

import json
import sys

import django
from django.core.management import call_command


def main(base_urls: str) -> None:
    django.setup()
    from demo.seed import seed

    from django_smsverify.models import Provider

    call_command("migrate", verbosity=0)
    seed(json.loads(base_urls))
    print(json.dumps(dict(Provider.objects.values_list("slug", "webhook_secret"))))


if __name__ == "__main__":
    main(sys.argv[1])
