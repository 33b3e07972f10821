"""Imports the whole package and sends one SMS without the modules and names that Windows lacks; run as a program.

The argument is the URL of a vendor. Other libraries are imported before: they support Windows themselves.
"""

from __future__ import annotations

import contextlib
import fcntl  # noqa: F401 - to be hidden
import importlib
import os
import pkgutil
import select
import signal
import socket
import sys
import time
from typing import Any

OTHERS = (
    "asyncio celery.app.base cryptography.fernet django.contrib.admin.sites django.contrib.auth.models "
    "django.core.management.commands.migrate django.db.backends.sqlite3.base django.test.client "
    "django_ratelimit.core django_tasks drf_spectacular.openapi multiprocessing phonenumbers requests "
    "rest_framework.views subprocess tempfile urllib3"
)
OF_OTHER_APPS = tuple(f"django_smsverify.contrib.{name}" for name in ("allauth.", "dj_rest_auth", "otp.", "simplejwt"))
"""What can be imported only where another app is installed."""
MODULES = "_posixsubprocess crypt curses fcntl grp posix pty pwd readline resource syslog termios tty"
MISSING: dict[Any, str] = {
    os: "chown fork forkpty getegid geteuid getgid getpgid getuid killpg mkfifo nice register_at_fork setsid "
    "sysconf uname wait WNOHANG",
    signal: "SIGALRM SIGCHLD SIGCONT SIGHUP SIGKILL SIGPIPE SIGQUIT SIGSTOP SIGUSR1 SIGUSR2 alarm pause "
    "pthread_sigmask setitimer siginterrupt sigwait",
    socket: "AF_UNIX CMSG_LEN MSG_DONTWAIT MSG_NOSIGNAL SO_REUSEPORT TCP_KEEPCNT TCP_KEEPIDLE TCP_KEEPINTVL "
    "TCP_USER_TIMEOUT",
    select: "epoll poll",
    time: "tzset clock_gettime pthread_getcpuclockid",
}
SETTINGS: dict[str, Any] = {
    "SECRET_KEY": "x" * 50,
    "USE_TZ": True,
    "DATABASES": {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    "ROOT_URLCONF": "django_smsverify.urls",
    "DEFAULT_AUTO_FIELD": "django.db.models.BigAutoField",
    "TEMPLATES": [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}],
    "INSTALLED_APPS": [
        "django.contrib.admin",
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django.contrib.messages",
        "django.contrib.sessions",
        "rest_framework",
        "django_smsverify",
    ],
}


def hide() -> None:
    """Removes what Windows lacks; modules that already imported a name keep it."""
    for module, names in MISSING.items():
        for name in names.split():
            if hasattr(module, name):
                delattr(module, name)
    for name in MODULES.split():
        sys.modules[name] = None  # type: ignore[assignment]


def send(url: str) -> None:
    """One code through the command, over a socket."""
    from django.core.management import call_command

    from django_smsverify.models import Provider, Template

    call_command("migrate", verbosity=0)
    vendor = Provider.objects.create(
        name="v", slug="v", gateway="topthink", credentials={"app_code": "x"}, base_url=url
    )
    content, facts = "您的验证码是{code}，5分钟内有效。", {"purpose": "login", "status": "approved", "remote_id": "1"}
    Template.objects.create(provider=vendor, name="t", content=content, **facts)
    call_command("smsverify_send", "13800138000", purpose="login")


def main(url: str) -> None:
    import django
    from django.conf import settings
    from django.core.exceptions import AppRegistryNotReady

    settings.configure(**SETTINGS)
    for name in OTHERS.split():
        # Models cannot be imported before the apps are loaded.
        with contextlib.suppress(AppRegistryNotReady):
            importlib.import_module(name)
    hide()
    django.setup()
    import django_smsverify

    for module in pkgutil.walk_packages(django_smsverify.__path__, "django_smsverify."):
        if module.name.startswith(OF_OTHER_APPS):
            continue
        importlib.import_module(module.name)
        sys.stdout.write(f"{module.name}\n")
    send(url)


if __name__ == "__main__":
    main(sys.argv[1])
