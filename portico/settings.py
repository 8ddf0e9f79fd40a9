"""Every setting, in one file. What differs between machines comes from the environment, checked at the start.

`Environment` is the whole list of variables; all else is the same everywhere.
"""

import ipaddress
import secrets
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal
from urllib.parse import parse_qsl, unquote, urlsplit

from csp.constants import NONE, SELF
from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class Environment(BaseSettings):
    """What an operator may say. Unknown names are ignored, wrong values stop the start with the name in the message."""

    model_config = SettingsConfigDict(env_prefix="PORTICO_", frozen=True, env_ignore_empty=True)

    data: Path = Field(
        Path("data"), description="Folder for SQLite, uploaded pictures, the built-in outbox and the generated key"
    )
    database_url: str = Field(
        "", description="postgresql://user:password@host/name; without it SQLite in the data folder"
    )
    host: str = Field("127.0.0.1", description="The interface the server listens on")
    port: int = Field(8000, ge=1, le=65535, description="The port the server listens on")
    workers: int = Field(1, ge=1, le=64, description="Server processes")
    base_url: str = Field(
        default_factory=lambda given: f"http://127.0.0.1:{given.get('port', 8000)}",
        description="The address people type; every link in a letter begins with it. Without it this machine's own, "
        "with the port",
    )
    secret_key: str = Field(
        "", description="50 random characters or more; without it one is generated in the data folder"
    )
    secret_key_fallbacks: str = Field(
        "", description="Former keys, separated by commas, still believed for links and cookies"
    )
    email_url: str = Field(
        "",
        description="smtp://user:password@host:587 (STARTTLS), smtps://user:password@host:465, or a provider known to "
        "anymail as postmark://?SERVER_TOKEN=…; without it the built-in outbox",
    )
    email_from: str = Field("Portico <portico@localhost>", description="The From of every letter")
    uploads_url: str = Field(
        "",
        description="s3://key:secret@s3.example.org/bucket?region=… for uploaded pictures, with the extra `s3`; "
        "without it they are in the data folder",
    )
    signup: Literal["open", "invited"] = Field("open", description="Who may create an account")
    founding: Literal["everyone", "operator"] = Field("everyone", description="Who may create an organization")
    trusted_proxies: int = Field(0, ge=0, le=10, description="How many proxies stand in front and set X-Forwarded-For")
    letters_per_day: int = Field(500, ge=0, description="Invitation letters of an organization in 24 hours")
    letters_per_day_new: int = Field(50, ge=0, description="The same, on an organization's first day")
    letters_per_day_trusted: int = Field(20_000, ge=0, description="The same, when the operator founded or trusts it")
    letters_per_day_per_address: str = Field(
        "3/10", description="Invitation letters to one address in 24 hours: from one organization / from all"
    )
    keep_origins: int = Field(
        400, ge=1, le=36_500, description="Days for which events say from which address and browser somebody acted"
    )
    log: Literal["problems", "requests"] = Field(
        "problems", description="What is logged: what went wrong, or also every request, sign-in and refusal"
    )
    metrics_token: str = Field(
        "",
        description="20 characters or more, with which Prometheus may read /metrics; without it there is no such page",
    )
    permissions: Path | None = Field(None, description="TOML file with the permissions of your own product")

    @field_validator("database_url")
    @classmethod
    def postgresql(cls, value: str) -> str:
        postgresql_parts(value)
        return value

    @field_validator("email_url")
    @classmethod
    def mail_server(cls, value: str) -> str:
        try:
            mail(value)
        except ValueError:
            raise ValueError("write it as smtp://user:password@mail.example.org:587") from None
        return value

    @field_validator("uploads_url")
    @classmethod
    def bucket(cls, value: str) -> str:
        try:
            uploads(value)
        except ValueError:
            raise ValueError("write it as s3://key:secret@s3.example.org/bucket?region=eu-central-1") from None
        return value

    @field_validator("letters_per_day_per_address")
    @classmethod
    def two_numbers(cls, value: str) -> str:
        one, _, every = value.partition("/")
        if not (one.isdecimal() and every.isdecimal()):
            raise ValueError("write it as 3/10: from one organization / from all")
        return value

    @field_validator("metrics_token")
    @classmethod
    def long_enough(cls, value: str) -> str:
        if 0 < len(value) < 20:
            raise ValueError("give it 20 random characters or more")
        return value

    @field_validator("base_url")
    @classmethod
    def whole_address(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.path not in {"", "/"}:
            raise ValueError("write it as https://portico.example.org, without a path")
        return value.rstrip("/")

    @property
    def is_loopback(self) -> bool:
        return is_loopback(urlsplit(self.base_url).hostname or "")


def is_loopback(host: str) -> bool:
    """Whether a host name or address can only be this machine."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def postgresql_parts(url: str) -> dict[str, Any]:
    """What an address of PostgreSQL is made of; ValueError where it is none."""
    if not url:
        return {}
    from psycopg import ProgrammingError, conninfo  # noqa: PLC0415  # slow to import, and SQLite does without it

    try:
        return dict(conninfo.conninfo_to_dict(url))
    except ProgrammingError:  # which quotes the address, and the password in it
        raise ValueError("write it as postgresql://user:password@host/name") from None


def key_in(folder: Path) -> str:
    """The generated key: made once, readable by its owner only."""
    path = folder / "secret.key"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        fresh = path.with_suffix(".new")
        fresh.touch(mode=0o600)
        fresh.write_text(secrets.token_urlsafe(50))
        fresh.rename(path)
    return path.read_text().strip()


def database(url: str, folder: Path) -> dict[str, Any]:
    """SQLite in the data folder, or the PostgreSQL that the address names."""
    if not url:
        return {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": folder / "portico.sqlite3",
            "CONN_MAX_AGE": None,
            "OPTIONS": {
                "timeout": 20,
                # Two commands that read first and write later would otherwise both begin, and one would fail half-way.
                "transaction_mode": "IMMEDIATE",
                "init_command": "PRAGMA journal_mode=WAL;PRAGMA synchronous=NORMAL;PRAGMA cache_size=-20000;"
                "PRAGMA mmap_size=134217728;",
            },
        }
    parts = postgresql_parts(url)
    named = {
        "NAME": parts.pop("dbname", "portico"),
        "USER": parts.pop("user", ""),
        "PASSWORD": parts.pop("password", ""),
        "HOST": parts.pop("host", ""),
        "PORT": str(parts.pop("port", "")),
    }
    return {
        "ENGINE": "django.db.backends.postgresql",
        "CONN_MAX_AGE": None,
        "CONN_HEALTH_CHECKS": True,
        # Nothing is prepared but what `api/quick.py` asks: PostgreSQL plans a prepared statement once for all values,
        # and one with a thousand addresses in it then took 2 s instead of 10 ms.
        "OPTIONS": {**parts, "server_side_binding": True, "prepare_threshold": None},
        **named,
    }


def mail(url: str) -> dict[str, Any]:
    """The Django mail settings that an address stands for."""
    if not url:
        return {"EMAIL_BACKEND": "portico.delivery.folder.FolderBackend"}
    parts = urlsplit(url)
    if not parts.scheme or not (parts.hostname or parts.query):
        raise ValueError("not an address")
    if parts.scheme in {"smtp", "smtps"}:
        query = dict(parse_qsl(parts.query))
        return {
            "EMAIL_BACKEND": "portico.delivery.smtp.LetterBackend",
            "EMAIL_HOST": parts.hostname or "localhost",
            "EMAIL_PORT": parts.port or (465 if parts.scheme == "smtps" else 587),
            "EMAIL_HOST_USER": unquote(parts.username or ""),
            "EMAIL_HOST_PASSWORD": unquote(parts.password or ""),
            "EMAIL_USE_SSL": parts.scheme == "smtps",
            # STARTTLS wherever a password travels; a relay on this very machine may do without (?tls=no).
            "EMAIL_USE_TLS": parts.scheme == "smtp"
            and query.get("tls", "no" if is_loopback(parts.hostname or "") else "yes") == "yes",
            "EMAIL_TIMEOUT": 20,
        }
    provider = parts.scheme
    return {
        "EMAIL_BACKEND": f"anymail.backends.{provider}.EmailBackend",
        "ANYMAIL": {f"{provider.upper()}_{name}": value for name, value in parse_qsl(parts.query)},
    }


def uploads(url: str) -> dict[str, Any]:
    """The Django storage that an address stands for; ValueError where it is none."""
    if not url:
        return {"BACKEND": "portico.uploads.Folder"}
    parts = urlsplit(url)
    bucket, query = parts.path.strip("/"), dict(parse_qsl(parts.query))
    if parts.scheme != "s3" or not (parts.hostname and parts.username and parts.password and bucket):
        raise ValueError("not an address")
    scheme = "http" if is_loopback(parts.hostname) else "https"
    options = {
        "access_key": unquote(parts.username),
        "secret_key": unquote(parts.password),
        "endpoint_url": f"{scheme}://{parts.hostname}" + (f":{parts.port}" if parts.port else ""),
        "bucket_name": bucket,
        "region_name": query.get("region", "us-east-1"),
    }
    return {"BACKEND": "portico.bucket.Bucket", "OPTIONS": options}


ENVIRONMENT = Environment()
PACKAGE = Path(__file__).parent

SECRET_KEY = ENVIRONMENT.secret_key or key_in(ENVIRONMENT.data)
SECRET_KEY_FALLBACKS = [key for key in ENVIRONMENT.secret_key_fallbacks.split(",") if key]
DEBUG = False
BASE_URL = ENVIRONMENT.base_url
BASE_HOST = urlsplit(BASE_URL).hostname or ""
SECURE = BASE_URL.startswith("https://")
ALLOWED_HOSTS = [BASE_HOST, *(["localhost", "127.0.0.1", "[::1]"] if ENVIRONMENT.is_loopback else [])]
CSRF_TRUSTED_ORIGINS = [BASE_URL]

INSTALLED_APPS = [
    "portico.domain",
    "portico.console",
    "portico.api",
    "portico.delivery",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "django_htmx",
    "csp",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.usersessions",
]
MIDDLEWARE = [
    "portico.front.knows_route",
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "portico.console.middleware.compressed",
    "portico.console.middleware.kept_nowhere",
    "portico.console.middleware.unavailable",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "allauth.usersessions.middleware.UserSessionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "portico.console.middleware.refusals",
    "portico.console.middleware.account_changes_are_one",
]
ROOT_URLCONF = "portico.urls"
WSGI_APPLICATION = "portico.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [PACKAGE / "console" / "templates"],  # before allauth's own
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
            "builtins": ["portico.console.templatetags.portico", "django.templatetags.i18n"],
        },
    }
]

DATABASES = {"default": database(ENVIRONMENT.database_url, ENVIRONMENT.data)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
# One cache for all processes, or allauth's rate limits would count for each process apart.
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.db.DatabaseCache",
        "LOCATION": "portico_cache",
        "OPTIONS": {"MAX_ENTRIES": 10_000},  # beyond that, limits that still count would be forgotten
    }
}

LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English")]
LOCALE_PATHS = [PACKAGE / "locale"]
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"

STATIC_URL = "static/"
WHITENOISE_ALLOW_ALL_ORIGINS = False  # nothing here is for other sites to read
STATIC_ROOT = ENVIRONMENT.data / "static"
MEDIA_ROOT = ENVIRONMENT.data / "uploads"
STORAGES = {
    "default": uploads(ENVIRONMENT.uploads_url),
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}

SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE
SESSION_COOKIE_NAME = "__Host-session" if SECURE else "session"
CSRF_COOKIE_NAME = "__Host-csrf" if SECURE else "csrf"
CSRF_COOKIE_HTTPONLY = True
CSRF_FAILURE_VIEW = "portico.console.middleware.stale"
MESSAGE_STORAGE = "portico.console.messages.Storage"
SESSION_COOKIE_AGE = 14 * 24 * 3600
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
SECURE_HSTS_SECONDS = 365 * 24 * 3600 if SECURE else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = True
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if ENVIRONMENT.trusted_proxies else None
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "base-uri": [NONE],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
        "object-src": [NONE],
    }
}
DATA_UPLOAD_MAX_MEMORY_SIZE = 4 * 1024 * 1024
FILE_UPLOAD_HANDLERS = [
    "portico.uploads.Bounded",
    "django.core.files.uploadhandler.MemoryFileUploadHandler",
    "django.core.files.uploadhandler.TemporaryFileUploadHandler",
]
DATA_UPLOAD_MAX_NUMBER_FIELDS = 25_000  # a role for each of 10,000 lines of a review

# Accounts -----------------------------------------------------------------------------------------------------------
AUTH_USER_MODEL = "portico.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
PASSWORD_HASHERS = ["portico.domain.people.LeanArgon2Hasher"]
AUTH_PASSWORD_VALIDATORS = [
    {
        "NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator",
        "OPTIONS": {"user_attributes": ["name", "email"]},
    },
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "portico.domain.people.NotAboutHere", "OPTIONS": {"at_least": 10}},
]
LOGIN_URL = "/account/login/"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "/account/login/"
ACCOUNT_ADAPTER = "portico.console.accounts.AccountAdapter"
ACCOUNT_FORMS = {
    "login": "portico.console.accounts.LoginForm",
    "signup": "portico.console.accounts.SignupForm",
    "add_email": "portico.console.accounts.AddEmailForm",
    "confirm_email_verification_code": "portico.console.accounts.CodeForm",
    "change_password": "portico.console.accounts.ChangePasswordForm",
    "set_password": "portico.console.accounts.SetPasswordForm",
    "reset_password": "portico.console.accounts.ResetPasswordForm",
    "reset_password_from_key": "portico.console.accounts.ResetPasswordKeyForm",
    "reauthenticate": "portico.console.accounts.ReauthenticateForm",
}
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_EMAIL_VERIFICATION = "mandatory"
ACCOUNT_EMAIL_VERIFICATION_BY_CODE_ENABLED = True
ACCOUNT_EMAIL_VERIFICATION_SUPPORTS_RESEND = True
ACCOUNT_CHANGE_EMAIL = False  # True would delete all other addresses when one is verified
ACCOUNT_MAX_EMAIL_ADDRESSES = 10
ACCOUNT_LOGOUT_ON_PASSWORD_CHANGE = False
ACCOUNT_LOGIN_ON_PASSWORD_RESET = False
ACCOUNT_REAUTHENTICATION_REQUIRED = True  # before addresses are added, removed, or made the primary one
ACCOUNT_REAUTHENTICATION_TIMEOUT = 15 * 60
ACCOUNT_EMAIL_NOTIFICATIONS = True
ACCOUNT_PREVENT_ENUMERATION = "strict"  # two may claim one address; whoever proves it has it
ACCOUNT_SESSION_REMEMBER = True
MFA_ADAPTER = "portico.console.second_factor.Adapter"
MFA_FORMS = {
    "activate_totp": "portico.console.second_factor.AppForm",
    "add_webauthn": "portico.console.second_factor.PasskeyForm",
    "authenticate": "portico.console.second_factor.CodeForm",
    "authenticate_webauthn": "portico.console.second_factor.ShownForm",
    "edit_webauthn": "portico.console.second_factor.RenameForm",
    "login_webauthn": "portico.console.second_factor.ShownAloneForm",
    "reauthenticate": "portico.console.second_factor.CodeAgainForm",
    "reauthenticate_webauthn": "portico.console.second_factor.ShownAgainForm",
}
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes", "webauthn"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_TOTP_ISSUER = "Portico"
# A code is marked as used for as long as one period, so none may be believed for longer (MFA_TOTP_TOLERANCE stays 0).
# Browsers do passkeys without TLS on the machine itself only.
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = not SECURE and ENVIRONMENT.is_loopback
USERSESSIONS_ADAPTER = "portico.console.accounts.SessionsAdapter"
USERSESSIONS_TRACK_ACTIVITY = False  # it would write on every request
ALLAUTH_TRUSTED_PROXY_COUNT = ENVIRONMENT.trusted_proxies

# Letters ------------------------------------------------------------------------------------------------------------
globals().update(mail(ENVIRONMENT.email_url))
DEFAULT_FROM_EMAIL = ENVIRONMENT.email_from
OUTBOX_FOLDER = ENVIRONMENT.data / "outbox"
WORKERS_FOLDER = ENVIRONMENT.data / "workers"
LETTERS_PER_DAY = {
    "usual": ENVIRONMENT.letters_per_day,
    "new": ENVIRONMENT.letters_per_day_new,
    "trusted": ENVIRONMENT.letters_per_day_trusted,
}
LETTERS_PER_ADDRESS, LETTERS_PER_ADDRESS_FROM_ALL = map(int, ENVIRONMENT.letters_per_day_per_address.split("/"))
# What is kept for how long: the worker deletes what is older (`portico.delivery.daily`).
KEPT_FOR = {
    "answers": timedelta(days=1),  # to programs that named a key (Idempotency-Key)
    "letters": timedelta(days=90),  # after they left or were given up; never those an open invitation points to
    "origins": timedelta(days=ENVIRONMENT.keep_origins),  # from which address and browser somebody acted
    "sessions": timedelta(0),  # after their end
}

# Portico ------------------------------------------------------------------------------------------------------------
# How often one may ask the API in a minute, but for checks: a person or a token; all together from one address; and
# from one address whoever is nobody.
API_LIMITS = {"asker": 1_200, "address": 6_000, "stranger": 120}
ALLOWANCES_FILE = ENVIRONMENT.data / "limits.sqlite3"  # where it is counted beside SQLite
PERMISSIONS_FILE = ENVIRONMENT.permissions
SIGNUP = ENVIRONMENT.signup
FOUNDING = ENVIRONMENT.founding

METRICS_TOKEN = ENVIRONMENT.metrics_token

WATCHED = "INFO" if ENVIRONMENT.log == "requests" else "WARNING"  # each request, sign-in and refusal
LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"()": "portico.logs.formatter"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": "WARNING"},
    "loggers": {
        "portico": {"level": "INFO"},
        "portico.requests": {"level": WATCHED},
        "portico.watch": {"level": WATCHED},
        "django.request": {"level": "ERROR"},  # a no is an answer; PORTICO_LOG=requests tells of each
    },
}
# The address is unique where it is verified, which allauth's own table sees to.
SILENCED_SYSTEM_CHECKS = ["auth.W004"]
