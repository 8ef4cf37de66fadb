#!/usr/bin/env bash
# test/model/run.sh: checks the models with spin. One line for each model, scene and broken variant.
#
# A model must hold; a variant of it with a known mistake must fail, or the model could not see that
# mistake. README.md says how to follow a counterexample.
set -euo pipefail
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")"
models=$PWD
readonly models

work=$(mktemp -d)
readonly work
trap 'rm -rf "$work"' EXIT

# In these, waiting for ever is normal; what must hold then is asserted by their process at_rest.
readonly -A flags=([idle]=-E [monitor]=-E [select]=-E [biased_lock]='' [mutex]='')

# explore OPTIMISATION DIRECTORY MODEL DEFINE...: leaves what the search printed in DIRECTORY/found.
explore() {
    local optimisation=$1 directory=$2 model=$3
    shift 3
    mkdir "$directory"
    cd "$directory"
    spin "${@/#/-D}" -a "$models/$model.pml" >generated 2>&1
    gcc "$optimisation" -w -DSAFETY -DMEMLIM=2000 -o pan pan.c
    # Not quoted: no flag is no argument.
    ./pan ${flags[$model]} -m200000 >found 2>&1 || true
}

# verdict DIRECTORY: holds, fails, or unknown.
verdict() {
    if grep -q -E '^pan:[0-9]+: (assertion violated|invalid end state)' "$1/found" 2>/dev/null; then
        echo fails
    elif grep -q 'errors: 0' "$1/found" 2>/dev/null &&
        ! grep -q -E 'not completed|too small|MEMLIM' "$1/found"; then
        echo holds
    else
        echo unknown
    fi
}

# check EXPECTED MODEL DEFINE...: fails if the verdict is another.
check() {
    local expected=$1 model=$2 name="${*:2}" optimisation=-O1 directory got states
    shift 2
    directory=$work/${name// /-}
    if [[ $expected == fails ]]; then
        optimisation=-O0  # a mistake is found soon: compiling is what takes time
    fi
    (explore "$optimisation" "$directory" "$model" "$@") >"$directory.log" 2>&1 || true
    got=$(verdict "$directory")
    states=$(awk '/states, stored/ { print $1 }' "$directory/found" 2>/dev/null || true)
    if [[ $got == "$expected" ]]; then
        printf 'ok    %-8s%-40s%10s states\n' "$got" "$name" "${states:-?}"
        rm -rf "$directory"
        return 0
    fi
    printf 'WRONG %-8s%-40s must be: %s\n' "$got" "$name" "$expected"
    cat "$directory.log"
    if [[ $got == fails ]]; then
        (cd "$directory" &&
            spin -p -g -k "$model.pml.trail" "${@/#/-D}" "$models/$model.pml" | tail -n 60) || true
    fi
    return 1
}

# Two at a time: each may need half a gigabyte.
running=0
wrong=0
start() {
    if ((running == 2)); then
        wait -n || wrong=1
        running=$((running - 1))
    fi
    check "$@" &
    running=$((running + 1))
}

# The long ones first.
start holds idle
start holds monitor
start holds select CROSS
start holds select MIRROR
start holds select
start holds select CROSS CANCEL
start holds select CANCEL
start holds mutex THREADS=4
start holds mutex ROUNDS=2
start holds mutex TIMED=2
start holds biased_lock

start fails idle ANNOUNCE_PLAIN
start fails idle RETIRE_RELAXED
start fails idle RETIRE_PLAIN
start fails idle NO_LOOK
start fails idle NO_PASSING_ON
start fails idle LEAVE_UNASKED
start fails idle POLL_DRAINS

start fails monitor RETIRE_QUIETLY
start fails monitor SLEEP_AT_ONCE
start fails monitor ROUSE_EARLY
start fails monitor NO_HELP

start fails biased_lock NO_FENCE
start fails biased_lock NO_WAIT
start fails biased_lock NO_RECHECK
start fails biased_lock LEAVE_RELAXED
start fails biased_lock EAGER_OWNER
start fails biased_lock NO_THIEVES_LOCK

start fails select TAKE_UNCLAIMED
start fails select SELF_UNCLAIMED
start fails select CROSS PARK_ANYWAY
start fails select LINE_UP_BLIND
start fails select STAY_IN_LINE
start fails select CANCEL CANCEL_UNASKED

start fails mutex CLEAR_IN_TWO_STEPS
start fails mutex RELEASE_UNDER_LOCK
start fails mutex WAKE_UNDER_LOCK
start fails mutex WAKE_FIRST
start fails mutex NO_SECOND_LOOK
start fails mutex LOCK_CLEARS_WAITING
start fails mutex NO_CLAIM

while ((running > 0)); do
    wait -n || wrong=1
    running=$((running - 1))
done
if ((wrong)); then
    echo "models: something is wrong, see above"
    exit 1
fi
echo "models: all hold, and every mistake is found"
