#!/usr/bin/env bash
# Behind `make lint`: every check that needs no test run, all of them even when one fails, so that one run shows everything.
set -uo pipefail
cd "$(dirname "$0")/.."
export PATH="$PWD/.venv/bin:$PATH" DJANGO_SETTINGS_MODULE=workbox.settings_test
# The checks look at the code, so they use the embedded set, whatever database .env may name.
export DATABASE_URL="" DB_HOST="" REDIS_URL="" CELERY_BROKER_URL=""

failed=()
check() { # title, command ...
  local title=$1
  shift
  printf '==> %s\n' "$title"
  "$@" || failed+=("$title")
}

check "ruff: rules" ruff check --quiet --output-format concise .
check "ruff: format" ruff format --check --output-format concise .
check "types" mypy
check "floor plan" lint-imports
check "migrations are complete" python manage.py makemigrations --check --dry-run
check "system check" python manage.py check --fail-level WARNING
check "OpenAPI document" python manage.py spectacular --validate --fail-on-warn --file /dev/null
if [ -n "$(find templates -name '*.html' 2>/dev/null)" ]; then
  check "templates: format" djlint --quiet --check templates
  check "templates: rules" djlint --quiet --lint templates
fi
# What is known about the locked packages. The index may not answer, or know none of it (a mirror): that is said and no
# failure, since nothing here could mend it.
advisories() {
  local said
  if ! command -v pip-audit >/dev/null; then
    echo "pip-audit is not installed: no advisory was looked up"
  elif said=$(timeout 120 pip-audit --progress-spinner off --require-hashes --disable-pip -r requirements.txt 2>&1); then
    case $said in
      *"could not be audited"*) echo "the index here knows nothing of $(grep -c 'could not be audited' <<<"$said") packages: they were not looked up" ;;
    esac
  elif grep -q "^Found [0-9]* known vulnerabilit" <<<"$said"; then
    echo "$said"
    return 1
  else
    echo "no advisory was looked up: $(tail -n 1 <<<"$said")"
  fi
}
check "advisories on the locked packages" advisories
check "shell scripts parse" bash -n scripts/*.sh .ci/run

if [ ${#failed[@]} -gt 0 ]; then
  printf '\nlint: FAILED: %s\n' "$(IFS=,; echo "${failed[*]}")"
  exit 1
fi
printf '\nlint: clean\n'
