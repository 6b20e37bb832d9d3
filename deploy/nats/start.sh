#!/bin/sh
# start.sh CONFIG: nats-server with the password that a file holds.
#
# Configurations of nats-server read variables and no files, so the password goes by this process's environment: not in
# an image, not in what `docker inspect` or `ps` show. Without a good one there is no server: whoever may write to
# Regatta's streams commands its nodes.
set -eu

file=${NATS_PASSWORD_FILE:-/run/secrets/nats-password}
fail() { echo "nats: $*; run deploy/make-secrets" >&2; exit 1; }

[ -f "$file" ] || fail "there is no password in $file"
[ -r "$file" ] || fail "$file cannot be read by user $(id -u)"
password=$(tr -d '[:space:]' < "$file")
[ ${#password} -ge 16 ] || fail "the password in $file has ${#password} characters and must have at least 16"
# It stands in URLs, and between quotes.
case $password in *[!A-Za-z0-9_-]*) fail "the password in $file may have letters, digits, - and _ only" ;; esac

# Within quotes: a value such as 12e7 would be taken for a number.
export NATS_PASSWORD="\"$password\""
export NATS_SERVER_NAME="\"${NATS_SERVER_NAME:-$(hostname)}\""
export NATS_STORE="${NATS_STORE:-8GB}"
routes=
for peer in ${NATS_PEERS:-}; do routes="$routes${routes:+, }\"nats://route:$password@$peer:6222\""; done
export NATS_ROUTES="[$routes]"

exec nats-server --config "$1"
