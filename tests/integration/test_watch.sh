#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A reducer that is killed and started again while somebody watches; and one that may not start beside it.
#
# usage: test_watch.sh FEDNCTL DIGITS_SEED
set -u
fednctl=$(realpath "$1") digits_seed=$(realpath "$2")
dir=$(mktemp -d "${TMPDIR:-/tmp}/fedn-watch-XXXXXX")
reducer=
watch=
passed=0 failed=0
export LC_ALL=C.UTF-8
unset NO_COLOR http_proxy https_proxy HTTP_PROXY HTTPS_PROXY all_proxy ALL_PROXY

finish() {
    for pid in $reducer $watch; do kill -9 "$pid" 2>/dev/null; done
    rm -rf "$dir"
}
trap finish EXIT

check() {
    what=$1
    shift
    if "$@"; then
        passed=$((passed + 1))
        return
    fi
    failed=$((failed + 1))
    echo "not ok: $what"
    for log in out err reducer.log; do [ -f "$log" ] && sed "s/^/   $log | /" "$log"; done
}

cd "$dir" || exit 1
mkfifo ready

start() {
    "$fednctl" reducer start --listen "127.0.0.1:${1:-0}" --http-listen "127.0.0.1:${2:-0}" --state-dir reducer \
        --ready-fd 3 --port-file ports 3>ready 2>>reducer.log &
    reducer=$!
    read -r line <ready
    check "the reducer is ready" test -n "$line"
}
slay() {
    kill -9 "$reducer"
    wait "$reducer" 2>/dev/null
}
# Watches with pipes of its own: what an earlier one left is not read.
follow() {
    rm -f events losses
    mkfifo events losses
    exec 5<>events 6<>losses
    "$fednctl" watch --json "$@" >events 2>losses &
    watch=$!
}
# The next event with this text, or what comes of a loss.
next_event() { while read -r event <&5; do case $event in *"$1"*) return 0 ;; esac; done; }
next_loss() { read -r loss <&6; }
loss_is() { expr "$loss" : "fednctl: $1" >/dev/null; }
# refused <words of the one line that says why>
refused() {
    words=$1
    shift
    "$fednctl" reducer start "$@" >out 2>err
    check "a refused reducer fails" test $? -eq 1
    check "it says why in one line: $words" test "$(grep -c "$words" err)/$(wc -l <err)" = 1/1
}

start
tier=$(sed -n 's/.*"tier": "[^"]*:\([0-9]*\)".*/\1/p' ports)
http=$(sed -n 's/.*"url": "[^"]*:\([0-9]*\)".*/\1/p' ports)
FEDN_CONTROL_URL=http://127.0.0.1:$http
export FEDN_CONTROL_URL
refused "reducer.state_dir: .*reducer.* is in use by process $reducer" --listen 127.0.0.1:0 --http-listen 127.0.0.1:0 --state-dir reducer
refused "reducer.http_listen: .*$http: Address already in use" --listen 127.0.0.1:0 --http-listen "127.0.0.1:$http" --state-dir other
refused "reducer.listen: .*$tier is in use" --listen "127.0.0.1:$tier" --http-listen 127.0.0.1:0 --state-dir other
"$digits_seed" seed.npz
"$fednctl" model push seed.npz >out 2>err
check "a model is there" test $? -eq 0
session=$("$fednctl" session start --rounds 3)

# a session: goes on with the next reducer, which tells of its end
follow "$session"
check "the session is followed" next_event "$session"
slay
check "the loss is said" next_loss
check "with the reducer's address, or what it did" loss_is ".*; trying again for 300 s"
start "$tier" "$http"
check "the session goes on" next_event '"status":"Started"'
"$fednctl" session stop "$session" >out 2>err
wait "$watch"
check "the session has ended" test $? -eq 1
check "and nothing but that is said" next_loss
check "in these words" loss_is "session $session: Terminated: terminated on request"

# everything: goes on with the next reducer
follow
check "the reducer is followed" next_event '"type":"hello"'
slay
check "the loss is said again" next_loss
start "$tier" "$http"
check "the next reducer is followed" next_event '"type":"hello"'
"$fednctl" session start --rounds 1 >out 2>err
check "its sessions are told of" next_event '"type":"session"'
kill "$watch"
wait "$watch" 2>/dev/null

# for good
follow --reconnect-s 1
check "the reducer is followed" next_event '"type":"hello"'
slay
wait "$watch"
check "who waits in vain says so" test $? -eq 4
check "that it waits" next_loss
check "and that it was in vain" next_loss
check "with the address" loss_is ".*127.0.0.1:$http"
watch= reducer=
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
