#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Federated learning on one machine: builds the library, starts a reducer, two combiners and six clients, lets
# them learn to read handwritten digits, and compares with training in one place.
#
# usage: sh examples/quickstart/run.sh [ROUNDS]        (20)
#
# On Debian 12, as root or with sudo, missing build packages (packages.txt beside this file) are installed; with
# all of them there, nothing is installed and no root is needed. What changes its ways:
#   FEDN_BUILD    build directory (build); made with meson unless it is there
#   FEDN_WORK     where data, logs and the trained model go (<build directory>/quickstart)
#   FEDN_DIGITS   a digits.csv or digits.csv.gz of your own, in place of the download
#
# Everything is done with fixed seeds. Exit code 0: the federated model reads at least 93 % of the 360 images
# that nobody trained on, and is within two points of the one trained in one place (asked of 20 rounds or more;
# fewer only have to learn something).
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
rounds=${1:-20}
build=${FEDN_BUILD:-$root/build}
work=${FEDN_WORK:-$build/quickstart}
clients=6
digits_sha256=6ebb3d2fee246a4e99363262ddf8a00a3c41bee6014c373ed9d9216ba7f651b8
export no_proxy="127.0.0.1,localhost${no_proxy:+,$no_proxy}" NO_PROXY="127.0.0.1,localhost${NO_PROXY:+,$NO_PROXY}"
case $(locale charmap 2>/dev/null) in UTF-8) ;; *) export LC_ALL=C.UTF-8 ;; esac

say() { printf '%s\n' "$*"; }
die() {
    printf 'quickstart: %s\n' "$*" >&2
    exit 1
}
case $rounds in '' | *[!0-9]* | 0) die "\"$rounds\" is not a number of rounds" ;; esac

# --- packages

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        return 1
    fi
}

install_packages() {
    command -v dpkg-query >/dev/null || return 0 # another system: meson will say what is missing
    missing=
    while read -r package; do
        dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing="$missing $package"
    done <"$here/packages.txt"
    [ -n "$missing" ] || return 0
    say "installing$missing"
    # shellcheck disable=SC2086
    { as_root apt-get -q update && as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get -q -y install --no-install-recommends $missing; } >"$logs/packages.log" 2>&1 || {
        tail -n 20 "$logs/packages.log" >&2
        die "cannot install$missing: run this as root or with sudo, or install them yourself"
    }
}

# --- the library and its programs

compile() {
    [ -f "$build/build.ninja" ] || meson setup "$build" "$root" --buildtype=release || return 1
    ninja -C "$build" cli/fednctl examples/quickstart/digits_client examples/quickstart/digits_seed \
        examples/quickstart/digits_central examples/quickstart/digits_eval
}

build_library() {
    say "building in $build"
    compile >"$logs/build.log" 2>&1 || {
        tail -n 30 "$logs/build.log" >&2
        die "the build failed; the whole log is $logs/build.log"
    }
}

# --- the images: 1,797 handwritten digits of 8 x 8 pixels, as scikit-learn ships them

is_digits() { [ -f "$1" ] && printf '%s  %s\n' "$digits_sha256" "$1" | sha256sum -c --status 2>/dev/null; }

unpack_digits() {
    case $1 in *.gz) gzip -dc "$1" >"$digits.part" ;; *) cp "$1" "$digits.part" ;; esac
    is_digits "$digits.part" || return 1
    mv "$digits.part" "$digits"
}

# from Debian's package, which is unpacked, not installed
digits_from_debian() {
    command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null || return 1
    (cd "$fetch" && apt-get -q -o APT::Sandbox::User=root download python3-sklearn) || return 1
    dpkg-deb --fsys-tarfile "$fetch"/python3-sklearn_*.deb |
        tar -xO ./usr/lib/python3/dist-packages/sklearn/datasets/data/digits.csv.gz >"$fetch/digits.csv.gz" || return 1
    unpack_digits "$fetch/digits.csv.gz"
}

# from the wheel, which is unpacked, not installed
digits_from_wheel() {
    command -v python3 >/dev/null || return 1
    python3 -m pip download -q --no-deps --only-binary :all: -d "$fetch" scikit-learn || return 1
    python3 -m zipfile -e "$fetch"/scikit_learn-*.whl "$fetch/wheel" || return 1
    unpack_digits "$fetch/wheel/sklearn/datasets/data/digits.csv.gz"
}

get_digits() {
    is_digits "$digits" && return
    if [ -n "${FEDN_DIGITS:-}" ]; then
        unpack_digits "$FEDN_DIGITS" || die "FEDN_DIGITS $FEDN_DIGITS is not the file of digits (SHA-256 $digits_sha256 unpacked)"
        return
    fi
    fetch=$work/fetch
    rm -rf "$fetch"
    mkdir -p "$fetch"
    if ! digits_from_debian >"$logs/digits.log" 2>&1 && ! digits_from_wheel >>"$logs/digits.log" 2>&1; then
        tail -n 10 "$logs/digits.log" >&2
        die "the images are in Debian's package python3-sklearn and in PyPI's wheel of scikit-learn, and neither" \
            "can be reached from here; set FEDN_DIGITS to a digits.csv.gz out of one of them"
    fi
    rm -rf "$fetch"
}

# --- processes

pids=
stop_all() {
    for pid in $pids; do kill "$pid" 2>/dev/null || true; done
    for pid in $pids; do wait "$pid" 2>/dev/null || true; done
    pids=
}

finish() {
    code=$?
    trap - EXIT INT TERM
    stop_all
    if [ "$code" -ne 0 ] && [ "$code" -ne 130 ]; then
        for log in "$run"/*.log; do
            [ -s "$log" ] || continue
            say "--- the end of $log" >&2
            tail -n 15 "$log" >&2
        done
    fi
    exit "$code"
}

# attend COMMAND ARG...: in the background, so that an interruption is heard at once
attend() {
    "$@" &
    attended=$!
    pids="$attended $pids"
    wait "$attended"
}

# start NAME ARG...: a fednctl process with a log, a port file and a pid; returns once it listens
start() {
    name=$1
    shift
    "$fednctl" "$@" --port-file "$run/$name.json" --ready-fd 3 3>"$run/ready" 2>"$run/$name.log" </dev/null &
    pids="$! $pids"
    read -r line <"$run/ready" || die "$name did not start"
    say "  $line"
}

from_file() { sed -n "s/.*\"$2\": \"\([^\"]*\)\".*/\1/p" "$run/$1.json"; }

start_network() {
    say "starting a reducer, two combiners and $clients clients; their logs are in $run"
    start reducer reducer start --listen 127.0.0.1:0 --http-listen 127.0.0.1:0 --state-dir "$run/reducer"
    FEDN_CONTROL_URL=$(from_file reducer url)
    FEDN_CLIENT_API_URL=$FEDN_CONTROL_URL
    export FEDN_CONTROL_URL FEDN_CLIENT_API_URL
    for name in east west; do
        start "$name" combiner start --name "$name" --listen 127.0.0.1:0 --host 127.0.0.1 \
            --reducer "$(from_file reducer tier)" --state-dir "$run/$name"
    done
    index=0
    while [ "$index" -lt "$clients" ]; do
        FEDN_CLIENT_NAME=client-$index "$programs/digits_client" "$digits" "$index" "$clients" \
            >"$run/client-$index.log" 2>&1 </dev/null &
        pids="$! $pids"
        index=$((index + 1))
    done
    attend timeout 60 "$fednctl" watch --until-clients "$clients" || die "the clients did not come"
}

# --- the comparison

accuracy() { printf '%s\n' "$1" | awk '{ printf "%.2f", 100 * $2 }'; }

compare() {
    awk -v got="$1" -v central="$2" -v first="$3" -v rounds="$rounds" 'BEGIN {
        if (rounds < 20) exit !(got > first + 10)
        exit !(got >= 93 && central - got <= 2)
    }'
}

logs=$work/logs
run=$work/run
digits=$work/digits.csv
fednctl=$build/cli/fednctl
programs=$build/examples/quickstart
mkdir -p "$logs"
install_packages
build_library
get_digits
rm -rf "$run"
mkdir -p "$run"
mkfifo "$run/ready"
trap finish EXIT
trap 'exit 130' INT TERM

start_network
"$programs/digits_seed" "$run/seed.npz"
"$fednctl" model push "$run/seed.npz" --name seed >"$run/seed.id"
say "training $rounds rounds; accuracy is of the new model on images that nobody trained on, 60 with each client"
attend "$fednctl" session start --name quickstart --rounds "$rounds" --round-timeout 60 --watch
"$fednctl" model pull --output "$work/model.npz" >/dev/null
stop_all

untrained=$(accuracy "$("$programs/digits_eval" "$digits" "$run/seed.npz")")
federated=$(accuracy "$("$programs/digits_eval" "$digits" "$work/model.npz")")
central=$(accuracy "$("$programs/digits_central" "$digits" "$rounds")")
say "accuracy on the 360 held-out images"
say "  untrained           $untrained %"
say "  federated           $federated %"
say "  one place           $central %"
say "model: $work/model.npz (numpy.load opens it)"
compare "$federated" "$central" "$untrained" || die "the federated model is worse than it should be"
