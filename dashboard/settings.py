"""Django's settings: each value one line through `env`; docs/configuration.md describes every variable."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured

from dashboard import env

BASE_DIR = Path(__file__).resolve().parent.parent
DATA_DIR = Path(env.text("DATA_DIR", str(BASE_DIR / "data"))).resolve()
VERSION = "0.1.0"

# --- Where it listens, and who may ask -------------------------------------------------------------
HOST = env.text("HOST", "127.0.0.1")
PORT = env.whole_number("PORT", 8000, least=1, most=65535)
# How this server calls itself to others.
PUBLIC_URL = env.url("PUBLIC_URL", env.own_origin(HOST, PORT))
# Where its own deliveries reach it, for the test receivers; and the beginning of their addresses, the first is shown.
SINK_URL = env.url("SINK_URL", env.own_origin(HOST, PORT))
OWN_SINKS = list(dict.fromkeys(f"{each}/sink/" for each in (SINK_URL, PUBLIC_URL)))
# This machine itself always may: a container's health check asks by 127.0.0.1.
ALLOWED_HOSTS = ["localhost", "127.0.0.1", "[::1]", env.host_of(SINK_URL), *env.words("ALLOWED_HOSTS", [])]
CSRF_TRUSTED_ORIGINS = env.words("CSRF_TRUSTED_ORIGINS", [])
WEB_THREADS = env.whole_number("WEB_THREADS", 8, least=1, most=256)  # of each web process
METRICS_ALLOWED_NETWORKS = env.networks("METRICS_ALLOWED_NETWORKS")
WEB_WORKERS = env.whole_number("WEB_WORKERS", 2, least=1, most=64)
DEBUG = False
SECRET_KEY = env.kept_secret("SECRET_KEY", DATA_DIR / "secret_key")
SECRET_KEY_FALLBACKS = env.listed_secret("SECRET_KEY_FALLBACKS")  # older ones, by which people stay signed in
ENCRYPTION_KEYS = env.kept_encryption_keys("ENCRYPTION_KEYS", DATA_DIR / "encryption_keys")  # the first encrypts

# --- Behind HTTPS ----------------------------------------------------------------------------------
BEHIND_HTTPS = env.boolean("BEHIND_HTTPS", default=False)
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = BEHIND_HTTPS
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if BEHIND_HTTPS else None
SECURE_HSTS_SECONDS = 31_536_000 if BEHIND_HTTPS else 0
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_AGE = int(timedelta(days=14).total_seconds())

# --- The database ----------------------------------------------------------------------------------
DATABASES = {"default": env.database("DATABASE_URL", f"sqlite:///{DATA_DIR / 'events.sqlite3'}")}
MOVE_TO = env.secret("MOVE_TO")  # where `manage.py move` takes all to
if str(DATABASES["default"]["ENGINE"]).endswith(".sqlite3"):
    # IMMEDIATE: a transaction that will write waits for its turn at its start; with Django's default it
    # fails with "database is locked" when another one wrote in between.
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        # The log is folded into the file every 1,000 pages, but not while somebody reads what was before: one that has
        # grown meanwhile is cut to this many bytes.
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA journal_size_limit=16777216;",
    }
else:
    DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
    # A pooler that hands each transaction to another connection of the database keeps none; lists are read by key.
    DATABASES["default"]["DISABLE_SERVER_SIDE_CURSORS"] = True
# Of web and clusters; what people run (migrate, say) may take as long as it takes.
DATABASE_STATEMENT_SECONDS = env.whole_number("DATABASE_STATEMENT_SECONDS", 30, least=5, most=3600)
DATABASE_POOLER = env.boolean("DATABASE_POOLER", default=False)
# Seconds that a thread keeps its connection. On SQLite too: when the last one closes, the write-ahead log is
# folded into the file, and doing that after every request made the API four times slower.
DATABASES["default"]["CONN_MAX_AGE"] = 60
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- The engine ------------------------------------------------------------------------------------
DELIVERY_ALLOWED_NETWORKS = env.networks("DELIVERY_ALLOWED_NETWORKS")
# Requests at once to one host, of one cluster.
DELIVERY_REQUESTS_PER_HOST = env.whole_number("DELIVERY_REQUESTS_PER_HOST", 96, least=1, most=10_000)
DELIVERY_TIMEOUT_SECONDS = env.whole_number("DELIVERY_TIMEOUT_SECONDS", 10, least=1, most=300)
OUTBOUND_PROXY = env.proxy("OUTBOUND_PROXY")
OUTBOUND_AUTHORITIES = env.certificates("OUTBOUND_CA_FILE")
RESPONSE_BODY_BYTES = env.whole_number("RESPONSE_BODY_BYTES", 4096, least=0, most=65536)
EVENT_ACTIVE_HOURS = env.whole_number("EVENT_ACTIVE_HOURS", 2, least=1, most=8760)
EVENT_RETENTION_HOURS = env.whole_number("EVENT_RETENTION_HOURS", 48, least=1, most=8760)
if EVENT_ACTIVE_HOURS > EVENT_RETENTION_HOURS:
    raise ImproperlyConfigured(
        f"EVENT_ACTIVE_HOURS={EVENT_ACTIVE_HOURS} is not allowed: use at most EVENT_RETENTION_HOURS "
        f"({EVENT_RETENTION_HOURS})."
    )
CHANGE_RETENTION_DAYS = env.whole_number("CHANGE_RETENTION_DAYS", 90, least=1, most=3650)

# --- The django-q2 cluster -------------------------------------------------------------------------
REDIS_URL = env.redis_url("REDIS_URL")
CLUSTER_WORKERS = env.whole_number("CLUSTER_WORKERS", 4, least=2, most=64)  # one of them is the beat's
Q_CLUSTER = {
    "name": "event-trigger",
    "workers": CLUSTER_WORKERS,
    "queue_limit": CLUSTER_WORKERS,
    # Above the longest batch (delivery.START_WITHIN_SECONDS, then one delivery) with room to spare.
    "timeout": 60 + 2 * DELIVERY_TIMEOUT_SECONDS,
    # Counts from the moment of dequeue, waiting in the worker's own queue included.
    "retry": 2 * (60 + 2 * DELIVERY_TIMEOUT_SECONDS),
    "recycle": 1_000_000,  # a recycled worker throws away its warm connections
    "save_limit": -1,
    "ack_failures": True,
    "max_attempts": 1,
    "catch_up": False,
    "guard_cycle": 0.5,
    "poll": 0.1,
    "broker_class": "triggers.broker.RedisBroker" if REDIS_URL else "triggers.broker.DatabaseBroker",
    "label": "Cluster",
    "log_level": "WARNING",
}
if REDIS_URL:
    Q_CLUSTER["redis"] = REDIS_URL
else:
    Q_CLUSTER["orm"] = "default"

# Tasks of the front, beside the engine's own: a name, a dotted path, minutes between two runs, and the time limit.
FURTHER_SCHEDULES = (
    ("Clean-up of the test receivers", "dashboard.tasks.clean_up_sinks", 1, 60),
    ("Clean-up of API keys", "dashboard.tasks.clean_up_api_keys", 60, 60),
    ("Clean-up of sessions", "dashboard.tasks.clean_up_sessions", 24 * 60, 60),
)

# --- What is installed -----------------------------------------------------------------------------
INSTALLED_APPS = [
    "dashboard",
    "triggers",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.humanize",
    "django.contrib.messages",
    "django.contrib.sessions",
    "dashboard.apps.StaticFiles",
    "axes",
    "crispy_bootstrap5",
    "crispy_forms",
    "csp",
    "django_filters",
    "django_htmx",
    "django_q",
    "django_tables2",
    "js_lib_bootstrap5",
    "ninja",  # so that Swagger UI is served from here, not from a CDN
]
MIDDLEWARE = [
    "dashboard.request_ids.middleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "dashboard.middleware.ReadersWay",
    "dashboard.middleware.SignInRequired",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "axes.middleware.AxesMiddleware",
]
ROOT_URLCONF = "dashboard.urls"
WSGI_APPLICATION = "dashboard.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]
# Only what can be made again is cached, in each process (sums and counts); nothing that counts lives here.
CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}

# --- People ----------------------------------------------------------------------------------------
AUTH_USER_MODEL = "dashboard.User"
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "overview"
LOGOUT_REDIRECT_URL = "login"
PASSWORD_RESET_TIMEOUT = int(timedelta(days=3).total_seconds())  # of an invitation
AXES_FAILURE_LIMIT = 10
AXES_COOLOFF_TIME = timedelta(minutes=15)
# By name and address together: a stranger cannot lock a person out from elsewhere.
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_CLIENT_IP_CALLABLE = "dashboard.middleware.client_address"
AXES_RESET_ON_SUCCESS = True
AXES_VERBOSE = False
AXES_LOCKOUT_CALLABLE = "dashboard.views.accounts.locked_out"
CSRF_FAILURE_VIEW = "dashboard.views.errors.csrf_failure"

# --- Words, times ----------------------------------------------------------------------------------
LANGUAGE_CODE = "en"  # the API's too, always
LANGUAGES = [("en", "English"), ("de", "Deutsch")]
LOCALE_PATHS = [BASE_DIR / "locale"]
USE_I18N = True
USE_TZ = True
TIME_ZONE = env.time_zone("TIME_ZONE", "UTC")

# --- Look ------------------------------------------------------------------------------------------
STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATICFILES_FINDERS = [
    "django.contrib.staticfiles.finders.FileSystemFinder",
    "django.contrib.staticfiles.finders.AppDirectoriesFinder",
    "dashboard.fonts.FontFinder",
]
FONTS_MADE_IN = BASE_DIR / ".made" / "fonts"
WHITENOISE_SKIP_COMPRESS_EXTENSIONS = ("map", "woff2", "png")  # never loaded by a page, or compressed already
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
CRISPY_ALLOWED_TEMPLATE_PACKS = "bootstrap5"
CRISPY_TEMPLATE_PACK = "bootstrap5"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "base-uri": [NONE],
        "connect-src": [SELF],
        "font-src": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
        "img-src": [SELF, "data:"],
        "script-src": [SELF],
        "style-src": [SELF],
    }
}

# --- Logs: one line an outcome, to standard error, no payloads, no secrets ---------------------------
LOG_LEVEL = env.one_of("LOG_LEVEL", "INFO", ("DEBUG", "INFO", "WARNING", "ERROR"))
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {
        "request": {"()": "dashboard.request_ids.InEachLine"},
        "faults": {"()": "triggers.faults.SaidInWords"},
    },
    "formatters": {"line": {"format": "{asctime} {levelname}{request_id} {name} {message}", "style": "{"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line", "filters": ["request"]}},
    "root": {"handlers": ["stderr"], "level": LOG_LEVEL},
    "loggers": {
        "axes": {"level": "WARNING"},
        "django-q": {"level": "WARNING", "filters": ["faults"]},
        "django.request": {"filters": ["faults"]},
    },
}
