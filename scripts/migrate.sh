#!/bin/sh
# Brings the database up to date before the servers start; fills an empty shop with the demo when SEED_DATABASE says so.
set -eu
cd "$(dirname "$0")/.."
python manage.py migrate --noinput
if [ "${SEED_DATABASE:-false}" = "true" ]; then
  : "${DEMO_PASSWORD:?SEED_DATABASE=true needs DEMO_PASSWORD, the password of the demo users}"
  python manage.py demo --password "$DEMO_PASSWORD"
fi
