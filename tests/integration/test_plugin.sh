#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A rule of aggregation from a shared object, in a network of fednctl processes; and plug-ins that are none.
#
# usage: test_plugin.sh FEDNCTL DIGITS_SEED PLUGIN OLD_PLUGIN NO_PLUGIN
set -u
fednctl=$(realpath "$1") digits_seed=$(realpath "$2") plugin=$(realpath "$3") old=$(realpath "$4") none=$(realpath "$5")
dir=$(mktemp -d "${TMPDIR:-/tmp}/fedn-plugin-XXXXXX")
pids=
passed=0 failed=0
export LC_ALL=C.UTF-8
unset NO_COLOR http_proxy https_proxy HTTP_PROXY HTTPS_PROXY all_proxy ALL_PROXY

finish() {
    for pid in $pids; do kill -9 "$pid" 2>/dev/null; done
    rm -rf "$dir"
}
trap finish EXIT

check() {
    what=$1
    shift
    if "$@"; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "not ok: $what"
        for log in out *.log; do [ -f "$log" ] && sed "s/^/   $log | /" "$log"; done
    fi
}
has() { grep -qE "$2" "$1"; }
refused() {
    ! "$fednctl" "$@" >out 2>&1 && [ "$(wc -l <out)" -eq 1 ]
}

cd "$dir" || exit 1
for role in combiner reducer; do
    check "$role: a file that is missing" refused "$role" start --state-dir state --aggregator-library "$plugin,./no.so"
    check "... is named" has out "$role.aggregator_library: \"./no.so\" cannot be loaded"
    check "$role: a file without the symbol" refused "$role" start --state-dir state --aggregator-library "$none"
    check "... is named" has out "does not export fedn_aggregator_plugin"
    check "$role: another version" refused "$role" start --state-dir state --aggregator-library "$old"
    check "... is said" has out "has version 2 of the plug-in table, expected 1"
done

mkfifo ready
cat >train.sh <<'SH'
cp "$1" "$2" && printf '{"num_examples": 12}' >"$2-metadata"
SH
start() {
    name=$1
    shift
    "$fednctl" "$@" --ready-fd 3 --port-file "$name.json" 3>ready 2>"$name.log" &
    pids="$pids $!"
    read -r line <ready
}
field() { sed -n "s/.*\"$2\": \"\([^\"]*\)\".*/\1/p" "$1.json"; }

start reducer reducer start --listen 127.0.0.1:0 --http-listen 127.0.0.1:0 --state-dir reducer --aggregator-library "$plugin"
FEDN_CONTROL_URL=$(field reducer url)
FEDN_CLIENT_API_URL=$FEDN_CONTROL_URL
export FEDN_CONTROL_URL FEDN_CLIENT_API_URL
start combiner combiner start --listen 127.0.0.1:0 --host 127.0.0.1 --reducer "$(field reducer tier)" --state-dir combiner \
    --aggregator-library "$plugin"
"$fednctl" client start --name client --state-dir client --train "sh $dir/train.sh" 2>client.log &
pids="$pids $!"
"$digits_seed" seed.npz
check "a model is pushed" "$fednctl" model push seed.npz
timeout 20 "$fednctl" watch --until-clients 1 >out || check "the client came" false
"$fednctl" session start --aggregator capped --aggregator-kwargs '{"least": 1}' >out 2>&1
check "a wrong parameter is refused" test $? -ne 0
check "... and named" has out "its one parameter is most"
"$fednctl" session start --rounds 2 --no-validate --aggregator capped --aggregator-kwargs "{'most': 5}" --wait >out 2>&1
check "a session with the rule ends well" test $? -eq 0
"$fednctl" round show 2 --json >out 2>&1
check "combiners were told its parameter" has out "'most': 5"
"$fednctl" session list --json >out 2>&1
check "and its records name it" has out '"aggregator": "capped"'
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
