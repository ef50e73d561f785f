#!/usr/bin/env bash
# Installs, on Debian and Ubuntu, what tests, benchmarks and browser checks need beyond Python; only what is missing, and
# without starting any server: the tests start their own.
set -euo pipefail

packages=()
need() { # package, command that succeeds when it is there
  local package=$1
  shift
  "$@" >/dev/null 2>&1 || packages+=("$package")
}
server() { PATH="$PATH:/usr/sbin:/usr/local/sbin" command -v "$1"; }
headers() { "${PYTHON:-python3}" -c 'import os, sysconfig; os.stat(os.path.join(sysconfig.get_path("include"), "Python.h"))'; }

need mariadb-server server mariadbd
need redis-server server redis-server
need gcc command -v gcc
need pkg-config command -v pkg-config
need default-libmysqlclient-dev dpkg -s default-libmysqlclient-dev
need python3-dev headers
need python3-venv "${PYTHON:-python3}" -c 'import ensurepip'
need wrk command -v wrk
need chromium command -v chromium
need fonts-dejavu-core dpkg -s fonts-dejavu-core
need libzbar0 dpkg -s libzbar0

if [ ${#packages[@]} -eq 0 ]; then
  echo "apt: everything is installed"
  exit 0
fi
echo "apt: installing ${packages[*]}"
as_root=()
[ "$(id -u)" -eq 0 ] || as_root=(sudo)

# invoke-rc.d asks this file before it starts a server; a machine without one gets it for the length of the installation.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$policy" >/dev/null
  "${as_root[@]}" chmod 755 "$policy"
  trap '"${as_root[@]}" rm -f "$policy"' EXIT
fi
apt_get() { "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -o Acquire::Retries=3 "$@"; }
apt_get update
apt_get install -y --no-install-recommends "${packages[@]}"
