"""Settings of the test suite: the real ones, with throwaway keys and a fast password hash."""

import os

os.environ.setdefault("SECRET_KEY", "jr8Zq2vXb6Wm4Ty9Ls1Pd7Kc3Hf5Ng0Aq")
os.environ.setdefault("JWT_SECRET_KEY", "Uv5Bn8Xc2Lk7Wq4Rt1Yp9Mz6Jh3Gf0Ds")

from workbox import settings as product
from workbox.settings import *  # noqa: F403  (a settings module is its parent's names)

if product.REDIS_URL:
    # Each xdist worker flushes its own Redis database between tests.
    _worker = int((os.environ.get("PYTEST_XDIST_WORKER") or "gw0").removeprefix("gw"))
    REDIS_URL = product.REDIS_URL.rstrip("/") + f"/{_worker + 1}"
    CELERY_BROKER_URL = "/".join(product.REDIS_URL.split("/")[:3]) + f"/{_worker + 1}"
else:
    CELERY_BROKER_URL = "memory://localhost/"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
LOGGING = {"level": "WARNING", "format": "console"}
WORKBOX_THROTTLE = False
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
CELERY_TASK_ALWAYS_EAGER = False
WHITENOISE_AUTOREFRESH = True
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):  # noqa: F405  (of the star above)
    # A test database need not survive a power cut, and the suite spends half its time waiting for the disk.
    DATABASES["default"]["OPTIONS"]["init_command"] += "; PRAGMA synchronous=OFF"  # noqa: F405  (of the star above)
