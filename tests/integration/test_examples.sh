#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The example programs run and say what they should; the quickstart's get digits that are made up.
#
# usage: test_examples.sh CUSTOM_AGGREGATOR CUSTOM_FORMAT DIGITS_SEED DIGITS_EVAL DIGITS_CENTRAL DIGITS_CLIENT
set -eu
dir=$(mktemp -d "${TMPDIR:-/tmp}/fedn-examples-XXXXXX")
trap 'rm -rf "$dir"' EXIT

same() { [ "$1" = "$2" ] || { echo "got \"$1\", not \"$2\"" && exit 1; }; }
code() {
    want=$1
    shift
    got=0
    "$@" >"$dir/out" 2>&1 || got=$?
    same "$got: $*" "$want: $*"
}

same "$("$1")" "plain mean of 1 and 4: 2.5"
same "$("$2" | tr '\n' ' ')" "0.5 -1.25 3 "

# a digit lights its own row, so every network learns it
awk 'BEGIN { for (i = 0; i < 1797; i++) { for (p = 0; p < 64; p++) printf "%d,", int(p / 6) == i % 10 ? 16 : 0;
    print i % 10 } }' >"$dir/digits.csv"
"$3" "$dir/seed.npz"
"$4" "$dir/digits.csv" "$dir/seed.npz" | grep -qE '^accuracy 0\.[0-3][0-9]* loss [0-9.]+$'
same "$("$5" "$dir/digits.csv" 3 | cut -d ' ' -f 1,2)" "accuracy 1.0000"

head -n 100 "$dir/digits.csv" >"$dir/short.csv"
code 1 "$4" "$dir/short.csv" "$dir/seed.npz"
grep -q "short.csv line 101" "$dir/out"
code 1 "$4" "$dir/digits.csv" "$dir/digits.csv"
code 1 "$5" "$dir/absent.csv" 3
code 1 "$6" "$dir/digits.csv" 6 6
for program in "$3" "$4" "$5" "$6"; do code 2 "$program"; done
