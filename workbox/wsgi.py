"""HTTP for production servers (granian): one thread per request, connections kept."""

import os

from django.core.wsgi import get_wsgi_application

from workbox.core.main_thread import hand_signals_to_main_thread

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "workbox.settings")

hand_signals_to_main_thread()
application = get_wsgi_application()
