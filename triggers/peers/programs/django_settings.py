"""Django's settings for the peers that live in it (django-q2, Celery's results): SQLite, tuned as this server's is."""

from __future__ import annotations

from orders import SETTINGS

SECRET_KEY = "a benchmark keeps no secrets"  # noqa: S105
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth", SETTINGS["app"]]
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": f"{SETTINGS['folder']}/django.sqlite3",
        "CONN_MAX_AGE": 60,
        "OPTIONS": {
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
        },
    }
}
Q_CLUSTER = {
    "workers": 4,
    "recycle": 1_000_000,
    "timeout": 60,
    "retry": 600,
    "queue_limit": 400,
    "bulk": 100,  # messages fetched at once
    "poll": 0.1,
    "save_limit": 0,  # keep every outcome on record; stock: the last 250
    "log_level": "WARNING",
    "catch_up": False,
}
Q_CLUSTER |= {"redis": SETTINGS["redis"]} if SETTINGS["redis"] else {"orm": "default"}
CELERY_CACHE_BACKEND = None
