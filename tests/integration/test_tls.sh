#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# fednctl and a REST API behind TLS: whom it trusts.
#
# usage: test_tls.sh FEDNCTL
set -u
fednctl=$(realpath "$1")
command -v openssl >/dev/null || { echo "SKIPPED: there is no openssl tool"; exit 77; }
dir=$(mktemp -d "${TMPDIR:-/tmp}/fedn-tls-XXXXXX")
server=
passed=0 failed=0
export LC_ALL=C.UTF-8
unset http_proxy https_proxy HTTP_PROXY HTTPS_PROXY all_proxy ALL_PROXY FEDN_CONTROL_TLS_CA
finish() {
    [ -n "$server" ] && kill "$server" 2>/dev/null
    rm -rf "$dir"
}
trap finish EXIT
cd "$dir" || exit 1

# status <exit code> <words of what is printed> <option ...>
status() {
    want=$1 words=$2
    shift 2
    "$fednctl" status --url "https://127.0.0.1:$port" "$@" >out 2>&1
    got=$?
    if [ "$got" -eq "$want" ] && grep -q "$words" out; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "not ok: status $*: exit code $got, not $want; or it does not say \"$words\":"
        cat out
    fi
}

for name in ours other; do
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj "/CN=$name" \
        -addext subjectAltName=IP:127.0.0.1 -keyout $name.key -out $name.pem 2>/dev/null || exit 1
done
mkdir -p api/v1
printf 'HTTP/1.0 200 ok\r\nContent-Type: application/json\r\n\r\n{"state": "idle", "reducer": {"name": "behind-tls"}}' >api/v1/status
mkfifo said
openssl s_server -accept 127.0.0.1:0 -cert ours.pem -key ours.key -HTTP >said 2>server.log </dev/null &
server=$!
exec 5<said
while read -r line <&5; do
    case $line in ACCEPT*) break ;; esac
done
port=${line##*:}

status 0 behind-tls --tls-ca ours.pem
FEDN_CONTROL_TLS_CA=ours.pem status 0 behind-tls
status 5 "https://127.0.0.1:$port" --tls-ca other.pem
status 5 "https://127.0.0.1:$port"
status 3 "control.tls_ca: .*absent.pem" --tls-ca absent.pem
status 1 "control.tls_ca: .*ours.key has no certificate" --tls-ca ours.key
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
