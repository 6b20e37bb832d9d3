#!/bin/sh
# start.sh CONFIG: nats-server with the passwords that two files hold: of coordinators, and of nodes, whose is the join token.
#
# Configurations of nats-server read variables and no files, so passwords go by this process's environment: not in an
# image, not in what `docker inspect` or `ps` show. Without good ones there is no server: whoever may write to Regatta's
# streams commands its nodes.
set -eu

fail() { echo "nats: $*; run deploy/make-secrets" >&2; exit 1; }

# secret FILE NAME: what the file holds.
secret() {
  [ -f "$1" ] || fail "there is no $2 in $1"
  [ -r "$1" ] || fail "$1 cannot be read by user $(id -u)"
  held=$(tr -d '[:space:]' < "$1")
  [ ${#held} -ge 16 ] || fail "the $2 in $1 has ${#held} characters and must have at least 16"
  printf %s "$held"
}

file=${NATS_PASSWORD_FILE:-/run/secrets/nats-password}
password=$(secret "$file" password)
# It stands in URLs, and between quotes.
case $password in *[!A-Za-z0-9_-]*) fail "the password in $file may have letters, digits, - and _ only" ;; esac
file=${NATS_JOIN_TOKEN_FILE:-/run/secrets/join-token}
token=$(secret "$file" token)
# Between quotes alone. No $: a server takes what begins with $2a$ for a hash of the password.
case $token in *[!A-Za-z0-9_+/=.~:-]*) fail "the token in $file may have letters, digits and - _ + / = . ~ : only" ;; esac

# Within quotes: a value such as 12e7 would be taken for a number.
export NATS_PASSWORD="\"$password\""
export NATS_NODE_PASSWORD="\"$token\""
export NATS_SERVER_NAME="\"${NATS_SERVER_NAME:-$(hostname)}\""
export NATS_STORE="${NATS_STORE:-8GB}"
routes=
for peer in ${NATS_PEERS:-}; do routes="$routes${routes:+, }\"nats://route:$password@$peer:6222\""; done
export NATS_ROUTES="[$routes]"

exec nats-server --config "$1"
