"""Settings of both Django peers, as `startproject` leaves them less what the scenarios do not use."""

import os
from urllib.parse import urlsplit

URL = urlsplit(os.environ["TILTH_DATABASE"])
SECRET_KEY = "only for measuring"
DEBUG = False
ALLOWED_HOSTS = ["127.0.0.1"]
ROOT_URLCONF = os.environ["BENCH_URLS"]
INSTALLED_APPS = ["league", *filter(None, os.environ["BENCH_APPS"].split(","))]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.common.CommonMiddleware",
]
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.AutoField"
PRAGMAS = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL"
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": URL.path[1:],
        "CONN_MAX_AGE": None,
        "OPTIONS": {"init_command": PRAGMAS, "transaction_mode": "IMMEDIATE"},
    }
    if URL.scheme == "sqlite"
    else {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": URL.path[1:],
        "USER": URL.username,
        "PASSWORD": URL.password,
        "HOST": URL.hostname,
        "PORT": URL.port,
        "OPTIONS": {"pool": {"min_size": 4, "max_size": 20}},
    }
}
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["rest.BenchAuthentication"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "UNAUTHENTICATED_USER": None,
}
