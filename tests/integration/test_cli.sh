#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What fednctl prints and how it ends, against a reducer with fixed answers.
#
# usage: test_cli.sh FEDNCTL FAKE_CONTROL
set -u
fednctl=$(realpath "$1") fake=$(realpath "$2")
dir=$(mktemp -d "${TMPDIR:-/tmp}/fedn-cli-XXXXXX")
pids=
passed=0 failed=0
finish() {
    for pid in $pids; do kill "$pid" 2>/dev/null; done
    rm -rf "$dir"
}
trap finish EXIT
export LC_ALL=C.UTF-8
unset NO_COLOR FEDN_CONTROL_URL FEDN_CONTROL_TOKEN http_proxy https_proxy HTTP_PROXY HTTPS_PROXY all_proxy ALL_PROXY

ok() { passed=$((passed + 1)); }
no() {
    failed=$((failed + 1))
    echo "not ok: $*"
    sed 's/^/   out | /' "$dir/out"
    sed 's/^/   err | /' "$dir/err"
}

# run <exit code> <argument ...>
run() {
    want=$1
    shift
    "$fednctl" "$@" >"$dir/out" 2>"$dir/err" </dev/null
    got=$?
    what="fednctl $*"
    if [ "$got" -eq "$want" ]; then ok; else no "$what: exit code $got, not $want"; fi
}
says() { if grep -qF -e "$1" "$dir/out"; then ok; else no "$what: does not print \"$1\""; fi; }
silent() { if grep -qF -e "$1" "$dir/out"; then no "$what: prints \"$1\""; else ok; fi; }
complains() {
    if grep -qF -e "$1" "$dir/err" && [ "$(wc -l <"$dir/err")" -eq 1 ]; then
        ok
    else
        no "$what: does not complain in one line of \"$1\""
    fi
}
is_json() {
    if python3 -c 'import json,sys; json.load(open(sys.argv[1]))' "$dir/out" 2>>"$dir/err"; then
        ok
    else
        no "$what: prints no JSON"
    fi
}
fits() { if grep -qE '^.{81}' "$dir/out"; then no "$what: a line is over 80 columns"; else ok; fi; }
plain() { if grep -q "$(printf '\033')" "$dir/out"; then no "$what: sends escapes"; else ok; fi; }

# --- without a reducer

run 0 help
for words in "reducer start" "combiner start" "combiner list" "client start" "client list" "model push" "model pull" \
    "model list" "model show" "client show" "combiner show" "validation list" "validation show" "metric list" \
    "attribute list" "status list" "status show" "session start" "session list" "session show" "session stop" "round list" "round show" "prediction start" \
    "prediction list" status \
    watch "config list" version; do
    # shellcheck disable=SC2086
    run 0 help $words
    says "usage: fednctl $words"
    fits
    # shellcheck disable=SC2086
    run 0 $words --help
    says "usage: fednctl $words"
done
run 0 session --help
says "session start"
silent "model push"
run 0 combiner start --help
says "--listen TEXT"
says "(0.0.0.0:12080)"

run 0
says "usage: fednctl COMMAND"
run 2 sesion list
complains 'unknown command "sesion": did you mean session?'
run 2 session lst
complains 'did you mean session list?'
run 2 session
complains "start, list, show, stop"
run 2 combiner start --lisen :0
complains "unknown option --lisen: did you mean --listen?"
run 2 session start --sesion-rounds 3
complains "did you mean --session-rounds?"
run 2 session start --rounds 0
complains 'session.rounds: "0"'
run 2 session start --rounds
complains "--rounds needs a value"
run 2 status --json=yes
complains "--json takes no value"
run 2 --url x status
complains "fednctl COMMAND --url"
run 2 model push
complains "needs FILE"
run 2 status now
complains '"now" is too much'
run 2 client start --client-name x
complains "--train, --validate or --predict"
run 3 client start --train "/nowhere/train.sh --fast"
complains "no program /nowhere/train.sh"
run 3 client start --validate /proc/version
complains "no program /proc/version"
run 3 client start --predict no-such-program
complains "--predict: there is no program no-such-program"
run 2 client start --train "sh -c 'unclosed"
complains "a quote is not closed"
run 2 model list --limit many
complains '--limit "many" is not a number'

run 0 config list combiner.
says combiner.liveness_ms
silent reducer.listen
fits
run 0 config list --json
is_json
run 0 config list --rst
says '``combiner.listen`` (string'
run 3 config list combinr.
complains 'no property begins with "combinr."'
run 0 version
says "fednctl 0."
run 0 --version
run 0 version --json
is_json

cat >"$dir/fedn.yaml" <<'YAML'
combiner: {listen: "127.0.0.1:1", workers: 3}
YAML
run 0 config list combiner. --json --config "$dir/fedn.yaml"
says '"value": "127.0.0.1:1"'
FEDN_COMBINER_LISTEN=127.0.0.1:2 run 0 config list combiner. --json --config "$dir/fedn.yaml"
says '"value": "127.0.0.1:2"'
silent '"value": "127.0.0.1:1"'
FEDN_COMBINER_LISTEN=127.0.0.1:2 run 0 config list combiner. --json --config="$dir/fedn.yaml" --combiner-listen 127.0.0.1:3
says '"value": "127.0.0.1:3"'
says '"value": "3"'
run 2 status --config "$dir/absent.yaml"
complains absent.yaml
FEDN_COMBINER_WORKERS=many run 2 status
complains FEDN_COMBINER_WORKERS

run 4 status --url 127.0.0.1:1
complains http://127.0.0.1:1
run 2 status --url ""
complains control.url

# --- with one

cat >"$dir/events" <<'EVENTS'
{"seq":7,"time":"2026-11-24T02:39:55Z","type":"hello","version":"0.1.0","since":"2026-11-24T01:00:00.000001Z"}
{"seq":8,"type":"session","session_id":"s-1","name":"first","status":"Started","round":0,"rounds":3,"model_id":"m0","message":""}
{"seq":9,"type":"round","session_id":"s-1","round_id":"11","number":1,"rounds":3,"status":"Running","expected":2,"accepted":1,"refused":0,"failed":0,"seconds":0.1,"model_id":"m0","message":""}
{"seq":10,"type":"round","session_id":"s-1","round_id":"11","number":1,"rounds":3,"status":"Finished","expected":2,"accepted":2,"refused":0,"failed":0,"seconds":0.41,"model_id":"m1","message":""}
{"seq":11,"type":"validation","session_id":"s-1","round_id":"11","model_id":"m1","client_id":"a","metrics":{"loss":0.5,"accuracy":0.25}}
{"seq":12,"type":"round","session_id":"s-1","round_id":"12","number":2,"rounds":3,"status":"Running","expected":2,"accepted":0,"refused":0,"failed":0,"seconds":0,"model_id":"m1","message":""}
{"seq":13,"type":"validation","session_id":"s-1","round_id":"11","model_id":"m1","client_id":"b","metrics":{"loss":0.7,"accuracy":0.75}}
{"seq":14,"type":"round","session_id":"s-1","round_id":"12","number":2,"rounds":3,"status":"Finished","expected":2,"accepted":1,"refused":1,"failed":0,"seconds":0.2,"model_id":"m2","message":""}
{"seq":15,"type":"round","session_id":"s-1","round_id":"13","number":3,"rounds":3,"status":"Failed","expected":2,"accepted":0,"refused":0,"failed":2,"seconds":5,"model_id":"m2","message":"no update came"}
{"seq":16,"type":"session","session_id":"s-1","name":"first","status":"Failed","round":2,"rounds":3,"model_id":"m2","message":"three rounds failed"}
EVENTS
mkfifo "$dir/port"
"$fake" "$dir/events" >"$dir/port" &
pids="$pids $!"
read -r port <"$dir/port"
export FEDN_CONTROL_URL="http://127.0.0.1:$port/"

for words in status "session list" "session show s-1" "round list" "round show 7" "client list" "model list" "prediction list" \
    "combiner list"; do
    # shellcheck disable=SC2086
    run 0 $words
    fits
    plain
    # shellcheck disable=SC2086
    run 0 $words --json
    is_json
done
run 0 status
says "hospital"
says "two more clients"
says "2 of 5"
says "3 min 20 s"
run 0 session show s-1
says "two more clients"
run 0 round show 7
says "1 of 2"
says "west      -           2         2         1     0        1     0       0"
says "refused"
says "2026-11-24 02:39:55"
silent "$(printf '\342\200\256')"
run 0 session list
says 11f1f5a0-58a4-4ad9-8f6c-51b1f1a4d0aa
says "2026-11-24 02:39:55"
run 0 model list --limit 7 --json
says '"limit": "7"'

run 3 session show missing
complains "Entity with id: missing not found"
run 5 session show denied
complains "role client may not do this"
run 5 round show stranger
complains "a token is needed"
run 4 round show broken
complains "An unexpected error occurred"
run 1 session show page
complains "not a reducer"
run 4 session show silent --timeout-ms 200
complains "http://127.0.0.1:$port"
run 3 session show ../status
run 3 session show ""
run 0 session stop s-1

echo "not really a model" >"$dir/model.npz"
run 0 model push "$dir/model.npz" --name seed --format numpyhelper
says 11f1f5a0-58a4-4ad9-8f6c-51b1f1a4d0aa
run 0 model push "$dir/model.npz" --json
is_json
run 2 model push "$dir"
complains "$dir is not a regular file"
run 3 model push "$dir/absent.npz"
complains absent.npz
cd "$dir" || exit 1
run 0 model pull
says 11f1f5a0-58a4-4ad9-8f6c-51b1f1a4d0aa.npz
if [ "$(cat 11f1f5a0-58a4-4ad9-8f6c-51b1f1a4d0aa.npz)" = "the bytes of a model" ]; then ok; else no "the pulled file"; fi
run 0 model pull 22 --output "$dir/pulled"
run 3 model pull missing
if [ -e missing.npz ]; then no "a failed pull left a file"; else ok; fi
run 3 model pull ../escape

run 1 watch s-1
complains "session s-1: Failed: three rounds failed"
says "round 1/3 [██████████████] 2/2 updates  0.41 s  accuracy 0.5000  loss 0.6000"
says "round 2/3 [███████───────] 1/2 updates  0.20 s  1 refused"
says "round 3/3"
says "2 failed  Failed: no update came"
if [ "$(wc -l <"$dir/out")" -eq 3 ]; then ok; else no "watch prints one line a round"; fi
fits
plain
run 1 watch s-1 --json
if [ "$(grep -c '^{.*}$' "$dir/out")" -eq 10 ]; then ok; else no "watch --json prints one event a line"; fi
run 0 watch over
says "has finished already"
run 3 watch missing
run 4 watch --reconnect-s 0
complains "ended the stream"
run 2 watch --reconnect-s long
complains '--reconnect-s "long" is not a number'
run 1 watch --until-finished

run 0 session start --rounds 3 --name first
says s-1
run 0 session start --rounds 3 --no-validate --aggregator-kwargs '{"a": 1}' --json
is_json
says '"validate": false'
says '"a": 1'
run 0 session start --rounds 3 --aggregator-kwargs "{'a': True}" --json
says "{'a': True}"
run 1 session start --rounds 99
complains "s-1 was made but not started: A session is already running!"
run 1 session start --rounds 3 --wait
complains "session s-1: Failed"
silent round
run 1 session start --rounds 3 --watch
says "round 1/3"

"$fake" "$dir/events" 4 >"$dir/port" &
pids="$pids $!"
read -r cutting <"$dir/port"
run 1 watch --until-finished --url "127.0.0.1:$cutting"
if [ "$(cut -c1-9 "$dir/out" | tr '\n' ,)" = "round 1/3,round 2/3,round 3/3," ]; then ok; else no "a cut loses and repeats no line"; fi
if [ "$(grep -c 'ended the stream of events; trying again for 300 s' "$dir/err")" -eq 1 ] &&
    [ "$(wc -l <"$dir/err")" -eq 2 ]; then ok; else no "a cut is said once"; fi

LC_ALL=C run 1 watch s-1
says "round 1/3 [##############] 2/2"
LC_ALL=C run 0 session list
says "~"

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
