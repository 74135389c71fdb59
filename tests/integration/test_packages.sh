#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A compute package from the folder to a session: made, tried out, pushed, and run by remote clients.
#
# usage: test_packages.sh FEDNCTL DIGITS_SEED
set -u
fednctl=$(realpath "$1") digits_seed=$(realpath "$2")
dir=$(mktemp -d "${TMPDIR:-/tmp}/fedn-packages-XXXXXX")
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
fails() {
    code=$1 words=$2
    shift 2
    "$fednctl" "$@" >out 2>&1
    [ $? -eq "$code" ] && has out "$words" && [ "$(wc -l <out)" -eq 1 ]
}

cd "$dir" || exit 1
mkfifo ready said
# the name of the folder has a blank: nothing may split there
mkdir -p "my folder/code" "my folder/data"
cat >"my folder/fedn.yaml" <<'YAML'
python_env: env.yaml
entry_points:
  build:
    command: sh code/build.sh
  startup:
    command: test -n "$VIRTUAL_ENV" && touch started
  train:
    command: |
      python code/train.py
  validate:
    command: python code/validate.py
YAML
printf 'name: venv\nbuild_dependencies: []\n' >"my folder/env.yaml"
echo 'data' >"my folder/.fednignore"
echo 'x' >"my folder/data/private.csv"
echo "cp '$dir/seed.npz' seed.npz" >"my folder/code/build.sh"
cat >"my folder/code/train.py" <<'PY'
import json, os, shutil, sys
assert os.path.samefile(os.getcwd(), os.environ["FEDN_PACKAGE_DIR"]) and os.path.exists("started")
assert os.environ["FEDN_TASK_SESSION_ID"] and "venv" in sys.prefix
assert not os.path.exists("data") and json.load(open(sys.argv[1] + "-metadata")) == {}
shutil.copy(sys.argv[1], sys.argv[2])
with open(sys.argv[2] + "-metadata", "w") as file:
    json.dump({"num_examples": 7}, file)
PY
cat >"my folder/code/validate.py" <<'PY'
import json, sys
json.dump({"accuracy": 0.5}, open(sys.argv[2], "w"))
PY
"$digits_seed" seed.npz

check "a folder is needed" fails 2 "needs --path" package create
check "a fedn.yaml is needed" fails 3 "there is no .*fedn.yaml" package create --path .
"$fednctl" package create --path "my folder" --name one.tgz >out 2>&1 || no "package create"
"$fednctl" package create --path "my folder" --name two.tgz --json >out 2>&1 || no "package create --json"
check "the same files make the same bytes" cmp one.tgz two.tgz
check "and their checksum is told" has out "\"checksum\": ?\"$(sha256sum one.tgz | cut -d' ' -f1)\""
tar tzf one.tgz >out
check "what is ignored stays out" test "$(grep -c data out)" -eq 0

"$fednctl" run build --path "my folder" >out 2>&1
check "build runs in the package's folder" cmp seed.npz "my folder/seed.npz"
check "its environment does not stay" test ! -e "my folder/venv"
"$fednctl" run validate --path "my folder" --input seed.npz --output metrics --keep-venv >out 2>&1 || no "run validate"
check "validate writes to where the caller is" has metrics '"accuracy": 0.5'
check "the environment stays if it is wanted" test -x "my folder/venv/bin/python"
# killed before it was whole: it is made anew
rm "my folder/venv/bin/python" && touch "my folder/venv/.fednctl-half"
"$fednctl" run validate --path "my folder" --input seed.npz --output metrics --keep-venv >out 2>&1 || no "run validate"
check "half an environment is made anew" test -x "my folder/venv/bin/python" -a ! -e "my folder/venv/.fednctl-half"
check "without entry point" fails 3 "no entry point predict" run predict --path "my folder" --input a --output b
echo 'echo it went wrong >&2; exit 3' >"my folder/code/build.sh"
"$fednctl" run build --path "my folder" >out 2>&1
check "a failure has the last line" has out '^fednctl: build of the package: .*3: it went wrong'
rm -f "my folder/seed.npz"

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
FEDN_CONTROL_URL=$(field reducer url)
FEDN_CLIENT_API_URL=$FEDN_CONTROL_URL
export FEDN_CONTROL_URL FEDN_CLIENT_API_URL
start west combiner start --name west --listen 127.0.0.1:0 --host 127.0.0.1 --reducer "$(field reducer tier)" --state-dir west

"$fednctl" package list >out
check "there is none yet" has out 'no package yet'
echo nonsense >bad.tgz
check "what is no archive is refused" fails 1 "no tar archive" package push bad.tgz
check "so is a format that is not known" fails 1 "torchhelper" package push one.tgz --helper torchhelper
check "remote code is for who wants it" fails 2 "allow-remote-code" client start --package remote --state-dir x
check "and is kept somewhere" fails 2 "state-dir" client start --package remote --allow-remote-code
# what clients say while they wait; $told is the first line
begin_waiting() {
    "$fednctl" client start --package remote "$@" 2>said &
    pids="$pids $!"
    waiting=$!
    exec 6<said
    read -r told <&6
}
begin_waiting --allow-remote-code --api-url 0.0.0.0:1 --state-dir elsewhere
check "an address without a scheme is not asked in plain text" test "${told#*GET https://0.0.0.0:1}" != "$told"
kill -9 "$waiting"
exec 6<&-
mkdir "state one" "state one/package-part-abcdef"
FEDN_CLIENT_ALLOW_REMOTE_CODE=yes begin_waiting --name one --state-dir "state one"
check "without a package a client waits" test "${told#*warning package: No active package}" != "$told"
cat <&6 >one.log &
pid_one=$waiting
"$fednctl" package push one.tgz --name first >id 2>out || no "package push"
"$fednctl" package push one.tgz --name second >second 2>out || no "package push"
"$fednctl" package activate "$(cat id)" || no "package activate"
"$fednctl" package show "$(cat id)" >out
check "it is shown" has out 'first'
"$fednctl" package list >out
check "one of them is active" test "$(grep -c ' yes ' out)" -eq 1
check "none is active by a wrong name" fails 3 "not found" package activate nowhere

check "a checksum that is not the package's" fails 5 "client.package_checksum is abc: not run" client start \
    --package remote --allow-remote-code --package-checksum abc --state-dir wrong
check "leaves nothing to run" test ! -e wrong/package
"$fednctl" client start --name two --package remote --allow-remote-code --state-dir "state two" 2>two.log &
pids="$pids $!"
pid_two=$!
"$fednctl" client start --name local --package-dir "my folder" --state-dir local 2>local.log &
pids="$pids $!"
pid_local=$!
timeout 40 "$fednctl" watch --until-clients 3 >out 2>&1 || no "the clients did not come"
check "and says so once" test "$(grep -c 'No active package' one.log)" -eq 0
check "what a kill left of an older one is gone" test ! -e "state one/package-part-abcdef"
rm -rf "my folder/data"
"$fednctl" model push seed.npz >out || no "model push"
"$fednctl" session start --rounds 3 --round-timeout 40 --watch >out 2>&1
check "a session of the package's commands" test $? -eq 0
"$fednctl" round show 3 >out
check "all of them trained" test "$(grep -c 'accepted  *7' out)" -eq 3

# started again, it goes on with what it has
# shellcheck disable=SC2154 # set by start
kill "$pid_one" && wait "$pid_one"
touch "state one/package/mine"
"$fednctl" client start --name one --package remote --allow-remote-code --state-dir "state one" 2>one.log &
pids="$pids $!"
pid_one=$!
timeout 40 "$fednctl" watch --until-clients 3 >out 2>&1 || no "the client did not come back"
check "a package that is the same is kept" test -e "state one/package/mine"
for name in one two local west reducer; do
    eval "pid=\$pid_$name"
    kill "$pid" 2>/dev/null
    wait "$pid"
    check "$name stops in order" test $? -eq 0
done
pids=
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
