#!/usr/bin/env bash
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
# Run the named steps (tools/STEP.sh) one after another, stop at the first that fails, and sum up. Rows of steps that are
# joined (units,sanity+stock) run side by side: here stock beside the other two, which take turns.
set -euo pipefail
. "$(dirname "$0")/common.sh"

STEPS=("$@")
IFS=' +,' read -ra NAMES <<<"$*"
SUMMARY=()
FAILED=()

main() {
    local number=0 step rows
    trap 'wait; exit 130' INT # the steps clean up behind themselves
    (cd "$LOGS" && rm -f "${NAMES[@]/%/.log}" "${NAMES[@]/%/.took}")
    for step in "${STEPS[@]}"; do
        number=$((number + 1))
        printf '[%d/%d] %s … ' $number ${#STEPS[@]} "$(sed 's/,/, /g; s/+/ beside /' <<<"$step")"
        IFS=+ read -ra rows <<<"$step"
        run_together "${rows[@]}"
        [ ${#FAILED[@]} = 0 ] || finish 1
    done
    finish 0
}

# run_together ROW…: run rows of steps side by side, and wait for all of them.
run_together() {
    local start=$SECONDS row name names status seconds
    for row in "$@"; do run_row "$row" & done
    wait
    say "$((SECONDS - start)) s"
    IFS=' +,' read -ra names <<<"$*"
    for name in "${names[@]}"; do
        [ -e "$LOGS/$name.took" ] || continue # one before it failed
        read -r status seconds <"$LOGS/$name.took"
        sum_up "$name" "$status" "$seconds"
    done
}

# run_row ROW: run the steps of a row one after another, up to one that fails.
run_row() {
    local name
    trap - INT # what runs in the background would ignore it
    for name in ${1//,/ }; do run_step "$name" || break; done
}

# run_step NAME: run it with its output in a log, and keep how it ended and its seconds.
run_step() {
    local start=$SECONDS status=0
    "tools/$1.sh" >"$LOGS/$1.log" 2>&1 </dev/null || status=$?
    echo "$status $((SECONDS - start))" >"$LOGS/$1.took"
    return "$status"
}

# sum_up NAME STATUS SECONDS: keep a line on a step; show the end of its log if it failed.
sum_up() {
    SUMMARY+=("$(printf '%-16s %-6s %5d s' "$1" "$([ "$2" = 0 ] && echo ok || echo FAILED)" "$3")")
    [ "$2" = 0 ] && return
    FAILED+=("$1")
    show_log "$1"
}

# finish STATUS: what each step took, and on the last line how many tests ran in those that count tests.
finish() {
    say "" && printf '%s\n' "${SUMMARY[@]}" && say "all together $SECONDS s"
    [ "$1" = 0 ] || say "failed: ${FAILED[*]}"
    say "tests: $(counted passed) passed, $(counted '(failed|error|errors)') failed, $(counted skipped) skipped"
    exit "$1"
}

# counted WORD: the sum of "N WORD" in the closing lines of pytest.
counted() {
    (cd "$LOGS" && cat "${NAMES[@]/%/.log}" 2>/dev/null) | grep -E '^(=+ )?[0-9]+ .* in [0-9.]+s' | grep -oE "[0-9]+ $1\b" |
        awk '{ sum += $1 } END { print sum + 0 }' || true
}

main
