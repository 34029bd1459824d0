#!/usr/bin/env bash
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
# Run the named steps (tools/STEP.sh) one after another, those that are joined (links+stock) side by side, stop at the first
# that fails, and sum up.
set -euo pipefail
. "$(dirname "$0")/common.sh"

STEPS=("$@")
IFS=' +' read -ra NAMES <<<"$*"
SUMMARY=()
FAILED=()

main() {
    local number=0 step names
    trap 'wait; exit 130' INT # the steps clean up behind themselves
    (cd "$LOGS" && rm -f "${NAMES[@]/%/.log}")
    for step in "${STEPS[@]}"; do
        number=$((number + 1))
        printf '[%d/%d] %s … ' $number ${#STEPS[@]} "${step//+/ and }"
        IFS=+ read -ra names <<<"$step"
        run_together "${names[@]}"
        [ ${#FAILED[@]} = 0 ] || finish 1
    done
    finish 0
}

# run_together STEP…: run steps side by side, and wait for all of them.
run_together() {
    local start=$SECONDS name status seconds
    for name in "$@"; do run_step "$name" & done
    wait
    say "$((SECONDS - start)) s"
    for name in "$@"; do
        read -r status seconds <"$LOGS/$name.took"
        sum_up "$name" "$status" "$seconds"
    done
}

# run_step NAME: run it with its output in a log, and keep how it ended and its seconds.
run_step() {
    local start=$SECONDS status=0
    trap - INT # what runs in the background would ignore it
    "tools/$1.sh" >"$LOGS/$1.log" 2>&1 </dev/null || status=$?
    echo "$status $((SECONDS - start))" >"$LOGS/$1.took"
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
