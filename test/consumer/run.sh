#!/usr/bin/env bash
# run.sh BUILD_DIR: builds and runs each project in this folder as a user of runnel would.
set -euo pipefail

here=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
source=$(readlink -f "$here/../..")
mkdir -p "$1"
build=$(readlink -f "$1")
readonly here source build

# quietly COMMAND...: shows what the command printed only when it fails.
quietly() {
    local log=$build/last.log
    if ! "$@" >"$log" 2>&1; then
        cat "$log" >&2
        printf 'consumers: failed: %s\n' "$*" >&2
        exit 1
    fi
}

# install_runnel NAME [OPTION...]: installs runnel under BUILD_DIR/NAME-prefix.
install_runnel() {
    local name=$1
    shift
    # A header or library that is no longer installed must not be found.
    rm -rf "${build:?}/$name-prefix"
    quietly cmake -S "$source" -B "$build/$name" -G Ninja -DCMAKE_BUILD_TYPE=Release \
        -DCMAKE_INSTALL_PREFIX="$build/$name-prefix" -DRUNNEL_BUILD_TESTS=OFF \
        -DRUNNEL_BUILD_TOUR=OFF -DRUNNEL_BUILD_EXAMPLES=OFF -DRUNNEL_BUILD_BENCH=OFF "$@"
    quietly cmake --build "$build/$name" -j "$(nproc)"
    quietly cmake --install "$build/$name"
}

# consume NAME PROJECT [OPTION...]: builds a project and runs it.
consume() {
    local name=$1 project=$2
    shift 2
    quietly cmake -S "$here/$project" -B "$build/$name" -G Ninja -DCMAKE_BUILD_TYPE=Release "$@"
    quietly cmake --build "$build/$name" -j "$(nproc)"
    quietly timeout 60 "$build/$name/consumer"
    printf 'consumers: %s: ok\n' "$name"
}

install_runnel runnel-static
install_runnel runnel-shared -DBUILD_SHARED_LIBS=ON
consume find_package-static find_package -DCMAKE_PREFIX_PATH="$build/runnel-static-prefix"
consume find_package-shared find_package -DCMAKE_PREFIX_PATH="$build/runnel-shared-prefix"
consume add_subdirectory add_subdirectory -DRUNNEL_SOURCE="$source"
consume fetch_content fetch_content -DFETCHCONTENT_SOURCE_DIR_RUNNEL="$source"
