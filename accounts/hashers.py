"""Password hashing with a cost that the operator chooses; the algorithm is Django's."""

from django.conf import settings
from django.contrib.auth.hashers import PBKDF2PasswordHasher


class ChosenCostHasher(PBKDF2PasswordHasher):
    """PBKDF2-SHA256 with PASSWORD_ITERATIONS rounds; older hashes are renewed at the next login."""

    iterations = settings.PASSWORD_ITERATIONS
