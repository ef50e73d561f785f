#!/usr/bin/env bash
# Recompiles the locked requirements from requirements/*.in. It never writes an index address into them: where packages
# come from is the business of the machine that installs (pip.conf, UV_INDEX_URL), not of the repository.
# Pass --upgrade to move every pin to the newest version its range allows.
set -euo pipefail
cd "$(dirname "$0")/.."

lock() { # source, output, further options
  local source=$1 output=$2
  shift 2
  .venv/bin/uv pip compile "$source" --output-file "$output" --quiet --universal --python-version 3.11 \
    --generate-hashes --no-header --no-annotate --no-emit-index-url --no-emit-find-links "$@"
}

lock requirements/base.in requirements/base.txt "$@"
# The two larger sets take the versions of the small one, so that installing one over another changes nothing.
lock requirements/mysql.in requirements.txt --constraints requirements/base.txt "$@"
lock requirements/dev.in requirements/dev.txt --constraints requirements/base.txt "$@"
