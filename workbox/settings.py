"""WorkBox's settings; every value an operator may change comes from the environment (`.env.example` lists them all)."""

from datetime import timedelta
from pathlib import Path

from celery.schedules import crontab
from corsheaders.defaults import default_headers
from django.templatetags.static import static
from django.urls import reverse_lazy

from accounts.jwt_settings import simple_jwt
from workbox.env import BASE_DIR, database, env, secret

VERSION = "0.1.0"
DEBUG = env.bool("DEBUG", default=False)
SECRET_KEY = secret("SECRET_KEY", debug=DEBUG)
JWT_SECRET_KEY = secret("JWT_SECRET_KEY", debug=DEBUG, fallback=SECRET_KEY)

# ---- who may reach us ------------------------------------------------------------------------------------------------
ALLOWED_HOSTS = ["localhost", "127.0.0.1", "[::1]", *env.list("ALLOWED_HOSTS", default=[])]
CORS_ALLOWED_ORIGINS = env.list("CORS_ORIGINS", default=[])
CORS_ALLOW_HEADERS = (*default_headers, "idempotency-key", "if-match", "if-none-match", "x-request-id")
CORS_EXPOSE_HEADERS = ("etag", "x-request-id", "idempotency-replayed", "retry-after", "ratelimit", "ratelimit-policy")
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])
METRICS_ALLOW = env.list("METRICS_ALLOW", default=[])
SECURE_SSL_REDIRECT = env.bool("SECURE_SSL_REDIRECT", default=False)
SECURE_HSTS_SECONDS = env.int("SECURE_HSTS_SECONDS", default=0)
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = env.bool("SECURE_COOKIES", default=SECURE_SSL_REDIRECT)
if env.bool("TRUST_PROXY", default=False):
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
TRUSTED_PROXIES = env.int("TRUSTED_PROXIES", default=0)  # how many proxies append to X-Forwarded-For
X_FRAME_OPTIONS = "DENY"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
DATA_UPLOAD_MAX_MEMORY_SIZE = 2 * 1024 * 1024

# ---- the building ----------------------------------------------------------------------------------------------------
INSTALLED_APPS = [
    "unfold.apps.BasicAppConfig",  # its default config would replace WorkBox's own admin site
    "unfold.contrib.filters",
    "workbox.apps.WorkBoxAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "rest_framework",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "corsheaders",
    "axes",
    "django_celery_beat",
    "django_otp",
    "django_otp.plugins.otp_totp",
    "django_otp.plugins.otp_static",
    "channels",
    "workbox.core.apps.CoreConfig",
    "accounts",
    "inventory",
    "orders",
    "purchasing",
    "insights",
    "workbox.webhooks.apps.WebhooksConfig",
    "workbox.jobs.apps.JobsConfig",
    "workbox.desk.apps.DeskConfig",
    "workbox.exchange.apps.ExchangeConfig",
    "workbox.planning.apps.PlanningConfig",
    "workbox.apps.WorkBoxConfig",
]
# API paths pass through the first four only: what belongs to a browser session costs a program nothing.
MIDDLEWARE = [
    "workbox.core.observability.RequestMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "workbox.core.middleware.ProgramsFirstCorsMiddleware",
    "workbox.core.middleware.BrowserGZipMiddleware",
    "workbox.core.middleware.BrowserSessionMiddleware",
    "workbox.core.middleware.BrowserCommonMiddleware",
    "workbox.core.middleware.BrowserCsrfMiddleware",
    "workbox.core.middleware.BrowserAuthenticationMiddleware",
    "workbox.core.middleware.BrowserMessageMiddleware",
    "workbox.core.middleware.BrowserFrameMiddleware",
    "workbox.core.middleware.ContentSecurityPolicyMiddleware",
    "axes.middleware.AxesMiddleware",
]
ROOT_URLCONF = "workbox.urls"
WSGI_APPLICATION = "workbox.wsgi.application"
ASGI_APPLICATION = "workbox.asgi.application"
APPEND_SLASH = True
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.debug",
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
            "libraries": {"workbox_story": "workbox.story.pages"},
        },
    }
]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
LANGUAGE_CODE = "en"
USE_I18N = False
TIME_ZONE = "UTC"  # stored, bucketed and shown in UTC: see docs/decisions/0003
USE_TZ = True
FORMAT_MODULE_PATH = "workbox.formats"

# ---- stores ----------------------------------------------------------------------------------------------------------
DATABASES = {"default": database()}
DATABASES["default"]["CONN_HEALTH_CHECKS"] = env.bool("CONN_HEALTH_CHECKS", default=False)
if env.str("READ_DATABASE_URL", default=""):
    DATABASES["replica"] = database("READ_DATABASE_URL") | {"TEST": {"MIRROR": "default"}}
    DATABASE_ROUTERS = ["workbox.core.replica.ReplicaRouter"]
REPLICA_PIN_SECONDS = env.int("REPLICA_PIN_SECONDS", default=5)  # a writer's own reads stay on the primary so long
REDIS_URL = env.str("REDIS_URL", default="")
CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": "workbox"}}
VAR_DIR = Path(env.str("WORKBOX_VAR_DIR", default=str(BASE_DIR / "var")))

# ---- people and tokens -----------------------------------------------------------------------------------------------
AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "accounts.roles.RoleBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
PASSWORD_ITERATIONS = env.int("PASSWORD_ITERATIONS", default=1_000_000)
PASSWORD_HASHERS = ["accounts.hashers.ChosenCostHasher"]
LOGIN_URL = reverse_lazy("admin:login")
LOGIN_REDIRECT_URL = "/admin/"
ACCESS_TOKEN_EXPIRE_MINUTES = env.int("ACCESS_TOKEN_EXPIRE_MINUTES", default=15)
REFRESH_TOKEN_EXPIRE_DAYS = env.int("REFRESH_TOKEN_EXPIRE_DAYS", default=7)
JWT_ALGORITHM = env.str("ALGORITHM", default="HS256")
SIMPLE_JWT = simple_jwt(
    JWT_SECRET_KEY, ACCESS_TOKEN_EXPIRE_MINUTES, JWT_ALGORITHM, refresh_days=REFRESH_TOKEN_EXPIRE_DAYS
)
WORKBOX_SECOND_FACTOR = env.str("WORKBOX_SECOND_FACTOR", default="optional")  # or "required", of all staff
AXES_FAILURE_LIMIT = env.int("LOGIN_FAILURE_LIMIT", default=8)
AXES_COOLOFF_TIME = timedelta(minutes=env.int("LOGIN_COOLOFF_MINUTES", default=15))
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_RESET_ON_SUCCESS = True
AXES_LOCKOUT_CALLABLE = "workbox.pages.locked_out"
AXES_HANDLER = "axes.handlers.database.AxesDatabaseHandler"
AXES_USERNAME_CALLABLE = "accounts.lockout.account_name"  # one count per account, whatever spelling or e-mail
AXES_CLIENT_IP_CALLABLE = "accounts.lockout.client_address"  # honours TRUSTED_PROXIES

# ---- API manners -----------------------------------------------------------------------------------------------------
WORKBOX_THROTTLE = env.bool("WORKBOX_THROTTLE", default=True)
WORKBOX_THROTTLE_ANONYMOUS_PER_MINUTE = env.int("WORKBOX_THROTTLE_ANONYMOUS_PER_MINUTE", default=100)
WORKBOX_THROTTLE_USER_PER_MINUTE = env.int("WORKBOX_THROTTLE_USER_PER_MINUTE", default=1000)
WORKBOX_THROTTLE_LOGIN_PER_MINUTE = env.int("WORKBOX_THROTTLE_LOGIN_PER_MINUTE", default=10)
WORKBOX_ORDERS_AUTO_CONFIRM = env.bool("WORKBOX_ORDERS_AUTO_CONFIRM", default=True)
WORKBOX_HOLD_MINUTES_MAX = env.int("WORKBOX_HOLD_MINUTES_MAX", default=24 * 60)
# How much more than ordered a vendor may deliver, in percent of the line.
WORKBOX_OVER_RECEIPT_PERCENT = env.int("WORKBOX_OVER_RECEIPT_PERCENT", default=0)
# Who sends our papers (invoices, purchase orders); `|` begins a new line of the address.
WORKBOX_COMPANY_NAME = env.str("WORKBOX_COMPANY_NAME", default="WorkBox")
WORKBOX_COMPANY_ADDRESS = env.str("WORKBOX_COMPANY_ADDRESS", default="")
WORKBOX_EVENT_RETENTION_DAYS = env.int("WORKBOX_EVENT_RETENTION_DAYS", default=90)
WORKBOX_SOCKETS_PER_USER = env.int("WORKBOX_SOCKETS_PER_USER", default=20)
WORKBOX_HEARTBEAT_SECONDS = env.int("WORKBOX_HEARTBEAT_SECONDS", default=25)
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["accounts.api.authentication.BearerAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["accounts.api.permissions.Can"],
    "DEFAULT_RENDERER_CLASSES": ["workbox.core.rendering.OrjsonRenderer"],
    "DEFAULT_PARSER_CLASSES": ["workbox.core.rendering.OrjsonParser", "rest_framework.parsers.FormParser"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "workbox.core.rendering.JsonOnly",
    "DEFAULT_THROTTLE_CLASSES": ["workbox.core.throttles.RequestThrottle"],
    "DEFAULT_SCHEMA_CLASS": "workbox.core.schema.WorkBoxSchema",
    "EXCEPTION_HANDLER": "workbox.core.api.exception_response",
    "UNAUTHENTICATED_USER": "accounts.principal.Anonymous",
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
    "COERCE_DECIMAL_TO_STRING": False,
    "URL_FORMAT_OVERRIDE": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "WorkBox",
    "DESCRIPTION": "Stock and orders that stay true under any concurrency, and a live stream that loses nothing.",
    "VERSION": VERSION,
    "OAS_VERSION": "3.1.1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_AUTHENTICATION": [],
    "SERVE_PERMISSIONS": [],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "SCHEMA_PATH_PREFIX": r"/api/v1",
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "ENUM_NAME_OVERRIDES": {
        "OrderStatusEnum": "orders.api.schemas.STATUSES",
        "PurchaseStatusEnum": "purchasing.api.schemas.STATUSES",
        "TransferStatusEnum": "inventory.models.Transfer.Status",
        "CountModeEnum": "inventory.api.schemas.COUNT_MODES",
        "BulkModeEnum": "inventory.api.schemas.BULK_MODES",
        "OperationKindEnum": "inventory.api.schemas.OPERATION_KINDS",
        "PromiseKindEnum": "insights.api.schemas.PROMISE_KINDS",
        "CountStatusEnum": "inventory.models.StockCount.Status",
        "ImportModeEnum": "workbox.exchange.api.imports.MODE_CHOICES",
    },
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "workbox.core.schema.add_error_responses",
    ],
    "PREPROCESSING_HOOKS": ["workbox.core.schema.only_versioned"],
}

# ---- news: who hears of an event inside the transaction (insights registers alerts here: docs/architecture.md) -------
WORKBOX_EVENT_LISTENERS: list[str] = ["insights.alerts.listen"]
# Who knows what is to come: `(product ids) → rows with product_id, quantity, expected_on`. Order plans ask, and may not
# know purchasing (docs/decisions/0009).
WORKBOX_INBOUND = "purchasing.queries.incoming"
# Who follows the log outside of it, with a cursor of their own (`workbox.core.followers.Follower` objects).
WORKBOX_FOLLOWERS: list[str] = ["insights.sales.follower", "workbox.webhooks.services.FOLLOWER"]
if env.bool("WORKBOX_LOG_FACTS", default=False):
    WORKBOX_FOLLOWERS.append("workbox.core.facts_log.FOLLOWER")

# ---- webhooks: what may be called ------------------------------------------------------------------------------------
WEBHOOKS_ALLOW_HTTP = env.bool("WEBHOOKS_ALLOW_HTTP", default=False)
# Private networks that may be reached all the same.
WEBHOOKS_ALLOW_NETWORKS = env.list("WEBHOOKS_ALLOW_NETWORKS", default=[])

# ---- jobs ------------------------------------------------------------------------------------------------------------
CELERY_BROKER_URL = env.str("CELERY_BROKER_URL", default="") or REDIS_URL or "filesystem://localhost//"
if CELERY_BROKER_URL.startswith("filesystem"):
    _broker = VAR_DIR / "broker"
    for _folder in ("queue", "done", "control"):
        (_broker / _folder).mkdir(parents=True, exist_ok=True)
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        "data_folder_in": str(_broker / "queue"),
        "data_folder_out": str(_broker / "queue"),
        "processed_folder": str(_broker / "done"),
        "control_folder": str(_broker / "control"),  # else kombu makes one in the working directory
        "store_processed": False,
    }
CELERY_TASK_IGNORE_RESULT = True
CELERY_BEAT_SCHEDULER = "django_celery_beat.schedulers:DatabaseScheduler"
CELERY_TIMEZONE = "UTC"
CELERY_TASK_ACKS_LATE = True
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BEAT_SCHEDULE = {
    # The live process follows the log all the time; this is for an installation that runs none.
    # A round that waits for a worker longer than until the next one is not made up for: the next one does it all.
    "webhooks-deliver": {"task": "webhooks.deliver_due", "schedule": 5.0, "options": {"expires": 5.0}},
    "webhooks-housekeeping": {"task": "webhooks.housekeeping", "schedule": crontab(hour=3, minute=20)},
    "core-follow": {"task": "workbox.core.follow", "schedule": 60.0},
    "inventory-expired-holds": {"task": "inventory.release_expired_holds", "schedule": 60.0},
    "jobs-reaper": {"task": "jobs.reap", "schedule": 300.0},
    "jobs-nightly-files": {"task": "jobs.clear_files", "schedule": crontab(hour=3, minute=20)},
    "exchange-nightly-files": {"task": "exchange.clear_files", "schedule": crontab(hour=3, minute=25)},
    "core-nightly-housekeeping": {"task": "workbox.core.housekeeping", "schedule": crontab(hour=3, minute=15)},
    "accounts-nightly-housekeeping": {"task": "accounts.housekeeping", "schedule": crontab(hour=3, minute=30)},
    "inventory-nightly-verify": {"task": "inventory.verify_stock", "schedule": crontab(hour=3, minute=45)},
    "orders-nightly-verify": {"task": "orders.verify_orders", "schedule": crontab(hour=4, minute=0)},
    "insights-nightly-rollup": {"task": "insights.verify_rollup", "schedule": crontab(hour=4, minute=15)},
    "insights-hourly-alerts": {"task": "insights.check_alerts", "schedule": crontab(minute=0)},
    "insights-resolve-alerts": {"task": "insights.auto_resolve_alerts", "schedule": crontab(hour="*/6", minute=30)},
    "insights-mail-alerts": {"task": "insights.mail_alerts", "schedule": 60.0},
    "planning-hourly-demand": {"task": "planning.update_demand", "schedule": crontab(minute=10)},
    "planning-hourly-suggestions": {"task": "planning.refresh_suggestions", "schedule": crontab(minute=20)},
    "planning-demand-after-bulk": {"task": "planning.update_demand_after_bulk", "schedule": 300.0},
    "planning-nightly-refit": {"task": "planning.refit", "schedule": crontab(hour=2, minute=0, day_of_week="1-6")},
    "planning-weekly-training": {"task": "planning.train", "schedule": crontab(hour=2, minute=0, day_of_week="0")},
    "purchasing-nightly-verify": {"task": "purchasing.verify_purchases", "schedule": crontab(hour=4, minute=15)},
}

# What a job of each kind does: kind → function(job, progress) → Outcome.
WORKBOX_JOBS = {
    "export": "workbox.exchange.exports.run_export",
    "report": "workbox.exchange.reports.run_report",
    "demand_update": "workbox.planning.work.run_demand",
    "forecast_refit": "workbox.planning.work.run_refit",
    "forecast_training": "workbox.planning.work.run_training",
    "suggestions_refresh": "workbox.planning.work.run_suggestions",
    "import_preview": "workbox.exchange.imports.run_preview",
    "import_apply": "workbox.exchange.imports.run_apply",
    "import_reverse": "workbox.exchange.imports.run_reverse",
}
# The shop's own jobs: they see every warehouse and write no file, so whoever may start one may see it.
WORKBOX_SHOP_JOBS = frozenset({"demand_update", "forecast_refit", "forecast_training", "suggestions_refresh"})

# ---- static files, admin, logs ---------------------------------------------------------------------------------------
STATIC_URL = "static/"
STATIC_ROOT = Path(env.str("STATIC_ROOT", default=str(BASE_DIR / "static")))
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"
        if env.bool("STATIC_MANIFEST", default=False)
        else "django.contrib.staticfiles.storage.StaticFilesStorage"
    },
}
WHITENOISE_USE_FINDERS = True  # the embedded set needs no collectstatic step
WHITENOISE_MAX_AGE = 3600
UNFOLD = {
    "SITE_TITLE": "WorkBox",
    "SITE_HEADER": "WorkBox",
    "SITE_SUBHEADER": "Stock and orders",
    "SITE_URL": "/admin/",
    "SITE_SYMBOL": "inventory_2",
    "SHOW_HISTORY": False,
    "SHOW_VIEW_ON_SITE": False,
    "ENVIRONMENT": None,
    "DASHBOARD_CALLBACK": "insights.dashboard.admin_home",
    "SITE_FAVICONS": [
        {"rel": "icon", "type": "image/svg+xml", "href": lambda request: static("workbox/icon.svg")},
    ],
    "STYLES": [
        lambda request: static("workbox/admin.css"),
        lambda request: static("workbox/people.css"),
        lambda request: static("workbox/papers.css"),
        lambda request: static("workbox/desk.css"),
        lambda request: static("workbox/story.css"),
    ],
    "SCRIPTS": [lambda request: static("workbox/labels.js")],
    "BORDER_RADIUS": "6px",
    "COLORS": {
        "primary": {
            "50": "#eff6ff",
            "100": "#dbeafe",
            "200": "#bfdbfe",
            "300": "#93c5fd",
            "400": "#60a5fa",
            "500": "#3b82f6",
            "600": "#2563eb",
            "700": "#1d4ed8",
            "800": "#1e40af",
            "900": "#1e3a8a",
            "950": "#172554",
        }
    },
    "COMMAND": {"search_models": False, "show_history": False},
    "SIDEBAR": {
        "show_search": True,
        "command_search": True,
        "show_all_applications": False,
        "navigation": "workbox.admin_site.navigation",
    },
}
LOG_LEVEL = env.str("LOG_LEVEL", default="INFO")
LOG_FORMAT = env.str("LOG_FORMAT", default="json")
LOGGING_CONFIG = "workbox.core.observability.configure_logging"
LOGGING = {"level": LOG_LEVEL, "format": LOG_FORMAT}
# smtp+tls://user:password@host:587 (smtp+ssl://…:465); EMAIL_BACKEND wins over the backend that its scheme names.
_mail = env.email_url_config(env.str("EMAIL_URL", default="") or "consolemail://")
EMAIL_BACKEND = env.str("EMAIL_BACKEND", default="") or _mail["EMAIL_BACKEND"]
EMAIL_HOST, EMAIL_PORT = _mail["EMAIL_HOST"] or "localhost", _mail["EMAIL_PORT"] or 25
EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = _mail["EMAIL_HOST_USER"] or "", _mail["EMAIL_HOST_PASSWORD"] or ""
EMAIL_USE_TLS, EMAIL_USE_SSL = _mail.get("EMAIL_USE_TLS", False), _mail.get("EMAIL_USE_SSL", False)
EMAIL_TIMEOUT = 20  # a mail server that says nothing must not hold a worker
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", default="workbox@localhost")
