#!/bin/sh
# Brings the browser that the page's tests drive. Needs nothing if it is there already.
set -u
command -v chromium >/dev/null 2>&1 && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "installing Chromium for the page's tests"
    { apt-get update -q && apt-get install -y -q --no-install-recommends chromium fonts-dejavu fonts-noto-color-emoji; } >/dev/null 2>&1 && exit 0
fi
echo "chromium is missing: the page's tests will be skipped (install the package 'chromium')"
