#!/usr/bin/env bash
# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
# Run the named steps (tools/STEP.sh) one after another, stop at the first that fails, and sum up.
set -euo pipefail
. "$(dirname "$0")/common.sh"

STEPS=("$@")
SUMMARY=()

main() {
    local step
    (cd "$LOGS" && rm -f "${STEPS[@]/%/.log}")
    for step in "${STEPS[@]}"; do run_step "$step" || finish 1; done
    finish 0
}

run_step() {
    local start=$SECONDS status=0 seconds
    printf '[%d/%d] %s … ' $((${#SUMMARY[@]} + 1)) ${#STEPS[@]} "$1"
    "tools/$1.sh" >"$LOGS/$1.log" 2>&1 </dev/null || status=$?
    seconds=$((SECONDS - start))
    say "$seconds s"
    [ "$status" = 0 ] || show_log "$1"
    SUMMARY+=("$(printf '%-16s %-6s %5d s' "$1" "$([ "$status" = 0 ] && echo ok || echo FAILED)" "$seconds")")
    return "$status"
}

# finish STATUS: what each step took, and on the last line how many tests ran in those that count tests.
finish() {
    say "" && printf '%s\n' "${SUMMARY[@]}" && say "all together $SECONDS s"
    [ "$1" = 0 ] || say "the step ${STEPS[${#SUMMARY[@]} - 1]} failed"
    say "tests: $(counted passed) passed, $(counted '(failed|error|errors)') failed, $(counted skipped) skipped"
    exit "$1"
}

# counted WORD: the sum of "N WORD" in the closing lines of pytest.
counted() {
    (cd "$LOGS" && cat "${STEPS[@]/%/.log}" 2>/dev/null) | grep -E '^(=+ )?[0-9]+ .* in [0-9.]+s' | grep -oE "[0-9]+ $1\b" |
        awk '{ sum += $1 } END { print sum + 0 }' || true
}

main
