#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A network of fednctl processes whose clients run programs: one that trains, one that fails, one that leaves
# nothing behind, one that does not end by itself.
#
# usage: test_programs.sh FEDNCTL DIGITS_SEED
set -u
fednctl=$(realpath "$1") digits_seed=$(realpath "$2")
dir=$(mktemp -d "${TMPDIR:-/tmp}/fedn-programs-XXXXXX")
pids=
passed=0 failed=0
export LC_ALL=C.UTF-8
unset NO_COLOR http_proxy https_proxy HTTP_PROXY HTTPS_PROXY all_proxy ALL_PROXY

finish() {
    for pid in $pids; do kill -9 "$pid" 2>/dev/null; done
    rm -rf "$dir"
}
trap finish EXIT

ok() { passed=$((passed + 1)); }
no() {
    failed=$((failed + 1))
    echo "not ok: $*"
    for log in out *.log; do sed "s/^/   $log | /" "$log"; done
}
check() {
    what=$1
    shift
    if "$@"; then ok; else no "$what"; fi
}
has() { grep -qE "$2" "$1"; }

cd "$dir" || exit 1
mkfifo ready term
cat >train.sh <<'SH'
test -s "$1" && test "$(cat "$1-metadata")" = "{}" && test -n "$FEDN_TASK_SESSION_ID" && test -n "$FEDN_TASK_MODEL_ID" || exit 9
cp "$1" "$2" && printf '{"num_examples": 12, "loss": 0.5}' >"$2-metadata"
SH
echo 'printf "{\"accuracy\": 0.75}" >"$2"' >validate.sh
echo 'echo loading >&2; echo "no images in /data" >&2; exit 4' >fail.sh
echo 'exit 0' >nothing.sh
# tells of its begin and its end
echo "trap 'echo ended >\"$dir/term\"; exit 1' TERM; echo begun >\"$dir/term\"; tail -f /dev/null & wait \$!" >long.sh
exec 5<>term
next_is() {
    read -r word <&5
    [ "$word" = "$1" ]
}

start() {
    name=$1
    shift
    "$fednctl" "$@" --ready-fd 3 --port-file "$name.json" 3>ready 2>"$name.log" &
    pids="$pids $!"
    eval "pid_$name=$!"
    read -r line <ready
}
field() { sed -n "s/.*\"$2\": \"\([^\"]*\)\".*/\1/p" "$1.json"; }

start reducer reducer start --listen 127.0.0.1:0 --http-listen 127.0.0.1:0 --state-dir reducer
check "the ready line has the real ports" test "$line" = "reducer ready: http $(field reducer url | sed 's,http://,,'), tier $(field reducer tier)"
FEDN_CONTROL_URL=$(field reducer url)
FEDN_CLIENT_API_URL=$FEDN_CONTROL_URL
export FEDN_CONTROL_URL FEDN_CLIENT_API_URL
start west combiner start --name west --listen 127.0.0.1:0 --host 127.0.0.1 --reducer "$(field reducer tier)" --state-dir west
"$fednctl" session start >out 2>&1
check "without a model there is nothing to start from" test $? -eq 3
"$digits_seed" seed.npz
"$fednctl" model push seed.npz >out || no "model push"
for name in train fail nothing long; do
    "$fednctl" client start --name "$name" --train "sh $dir/$name.sh" --validate "sh '$dir/validate.sh'" 2>"$name.log" &
    pids="$pids $!"
    eval "pid_$name=$!"
done
timeout 20 "$fednctl" watch --until-clients 4 || no "the clients did not come"

"$fednctl" session start --rounds 1 --round-timeout 1.5 --watch >out 2>&1
check "a round goes on without those that fail" test $? -eq 0
check "it counts them" has out 'round 1/1 .* 1/4 updates .* 2 failed'
"$fednctl" round show 1 >out || no "round show"
check "the update counts with its examples" has out '^train +west +accepted +12 '
check "a failure shows the program's last line" has out '^fail: .*sh exited with 4: no images'
check "so does a missing model" has out '^nothing: .*wrote no OUT_MODEL|^nothing: .*the program succeeded'
check "one that does not answer is late" has out '^long +west +late '
check "what a program says is passed on" has fail.log '^loading'

# the client is asked again, and then told to stop: its program must end with it
"$fednctl" session start --rounds 1 --round-timeout 30 --no-validate >session || no "session start"
check "a program begins" next_is begun
check "a task that is no longer wanted is ended" next_is ended
check "the next one begins" next_is begun
timeout 20 "$fednctl" watch --json --reconnect-s 0 >events &
watch=$!
pids="$pids $watch"
# shellcheck disable=SC2154 # set by start
kill "$pid_long"
check "a program ends with its client" next_is ended
wait "$pid_long"
check "the client stops in order" test $? -eq 0
"$fednctl" session stop "$(cat session)" >out 2>&1
"$fednctl" watch "$(cat session)" >out 2>&1
check "an ended session is told of" has out 'Finished|finished|Terminated'

for name in train fail nothing west reducer; do
    eval "pid=\$pid_$name"
    kill -INT "$pid" 2>/dev/null || kill "$pid"
    wait "$pid"
    check "$name stops in order" test $? -eq 0
done
pids=
kill "$watch" 2>/dev/null
wait "$watch"
check "a watch ends with its reducer" test $? -eq 4
check "and had events" has events '"type":"hello"'
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
