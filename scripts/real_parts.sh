#!/bin/sh
# Brings the real parts that tests drive: a browser for the page, Node.js for Slack's JavaScript framework, Prometheus and Alertmanager.
# Needs nothing if they are there already. Debian's packages start what they bring: here none is started (policy-rc.d).
set -u
missing=""
command -v chromium >/dev/null 2>&1 || missing="$missing chromium fonts-dejavu fonts-noto-color-emoji"
{ command -v node && command -v npm; } >/dev/null 2>&1 || missing="$missing nodejs npm"
{ command -v prometheus && command -v promtool; } >/dev/null 2>&1 || missing="$missing prometheus"
{ command -v prometheus-alertmanager && command -v amtool; } >/dev/null 2>&1 || missing="$missing prometheus-alertmanager"
[ -z "$missing" ] && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "installing for the tests:$missing"
    policy=/usr/sbin/policy-rc.d
    if [ ! -e "$policy" ]; then
        trap 'rm -f "$policy"' EXIT
        trap 'exit 1' INT TERM
        printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod 755 "$policy"
    fi
    # shellcheck disable=SC2086  # a list of packages
    { apt-get update -q && apt-get install -y -q --no-install-recommends $missing; } >/dev/null 2>&1 && exit 0
fi
echo "missing, so their tests will be skipped:$missing (packages of Debian and Ubuntu)"
