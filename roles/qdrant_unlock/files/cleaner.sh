#!/bin/sh
# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Finds lock files and removes those that nobody holds. Runs in the cleaner's container, under BusyBox ash, dash or
# bash, as:  sh -c "$CLEANER_SCRIPT" cleaner    with CLEANER_SCRIPT being this text.
#
# Everything it is told comes through the environment, and nothing of it is ever parsed as shell code:
#   CLEANER_ROOT          where the volume is mounted, such as /data
#   CLEANER_SCAN          the folder to look in, as an absolute path within the volume: / is all of it
#   CLEANER_PATTERNS      file name patterns, one a line
#   CLEANER_MODE          unlock: remove; inspect: look only (works on a read-only mount)
#   CLEANER_HELD          what to do with a lock that is held: wait, fail, or delete (unlock only)
#   CLEANER_HELD_TIMEOUT  how many seconds to wait, in all, for held locks to be let go
#   CLEANER_RUN_ID        goes into the summary
#
# It prints one JSON object a file, {"path", "action": "removed"|"held"|"kept"|"free"|"error", "why", ...}, and as its last
# line {"summary": {...}}. Paths are relative to the volume. Exit codes: 0 done, 2 wrong input, 3 locks are still held,
# 4 something could not be read, probed or removed, 5 the image lacks a tool.

set -u
set -f # no word of ours is ever a file name pattern for the shell
LC_ALL=C
export LC_ALL

# $1 as a JSON string. Only quotes, backslashes and control characters need care; the loop runs only for such names.
json() {
    case $1 in
        *[\"\\[:cntrl:]]*) ;;
        *)
            printf '"%s"' "$1"
            return
            ;;
    esac
    json_rest=$1
    json_done=
    while [ -n "$json_rest" ]; do
        json_next=${json_rest#?}
        json_char=${json_rest%"$json_next"}
        json_rest=$json_next
        case $json_char in
            [\"\\]) json_done=$json_done\\$json_char ;;
            [[:cntrl:]]) json_done=$json_done$(printf '\\u%04x' "'$json_char") ;;
            *) json_done=$json_done$json_char ;;
        esac
    done
    printf '"%s"' "$json_done"
}

tell() { # tell ACTION WHY [MORE]: one line about $file; a single printf, so that lines never mix
    printf '{"path":%s,"action":"%s","why":%s%s}\n' \
        "$(json "${file#"$CLEANER_ROOT"}")" "$1" "$(json "$2")" "${3:-}"
}

# Whether descriptor 9 could be locked: free, held, or unknown. An error of flock's own is never taken for "free".
probe() {
    if [ "$CLEANER_MODE" = inspect ]; then
        # A shared lock meets an exclusive one, and needs no write-open, which a read-only mount would refuse.
        probe_said=$(flock -s -n 9 2>&1) && return 0
    else
        probe_said=$(flock -n 9 2>&1) && return 0
    fi
    [ -z "$probe_said" ] && return 1
    return 2
}

await_release() { # until the lock on descriptor 9 is ours, or the deadline has come
    probe
    probed=$?
    [ "$probed" -eq 1 ] && [ "$CLEANER_MODE" = unlock ] && [ "$CLEANER_HELD" = wait ] || return "$probed"
    tell held 'waiting for its holder to let go' ',"waiting":true'
    while [ "$probed" -eq 1 ] && [ "$(date +%s)" -lt "$CLEANER_DEADLINE" ]; do
        sleep 1
        probe
        probed=$?
    done
    return "$probed"
}

# With descriptor 9 open on $file: the last rules, then the removal, while the lock is ours: between the probe and the
# removal nobody else can take it.
decide() {
    await_release
    probed=$?
    forced=
    case $probed in
        1)
            if [ "$CLEANER_MODE" = unlock ] && [ "$CLEANER_HELD" = delete ]; then
                forced=',"was_held":true'
            else
                tell held 'another process holds it'
                return
            fi
            ;;
        2)
            tell error "it could not be probed: $probe_said"
            return
            ;;
    esac
    if [ "$CLEANER_MODE" = inspect ]; then
        tell free 'nobody holds it'
        return
    fi
    if ! [ "$file" -ef /proc/self/fd/9 ]; then
        tell kept 'it was replaced while it was looked at'
        return
    fi
    if said=$(rm -f -- "$file" 2>&1) && ! [ -e "$file" ]; then
        tell removed "${forced:+it was held; removed by explicit word (held_locks is delete)}" "$forced"
    else
        tell error "it could not be removed: $said"
    fi
}

judge() { # judge FILE: the rules that need no open descriptor first
    file=$1
    if [ -L "$file" ]; then
        tell kept 'it is a link'
    elif ! [ -e "$file" ]; then
        tell kept 'it vanished while it was looked at'
    elif ! [ -f "$file" ]; then
        tell kept 'it is not a regular file'
    elif [ "${file##*/}" = LOCK ] && ! [ -f "${file%/*}/CURRENT" ]; then
        tell kept 'there is no CURRENT beside it, so it is not a lock of RocksDB'
    elif [ "${file##*/}" = LOCK ] && [ -s "$file" ]; then
        tell kept 'it has content, so it is not a lock of RocksDB'
    elif [ "$CLEANER_MODE" = inspect ]; then
        { decide; } 9<"$file" || tell error 'it could not be opened for reading'
    else
        { decide; } 9<>"$file" || tell error 'it could not be opened for reading and writing'
    fi
}

# find starts this script again, for many files at once, with `judge` in the place of its name.
if [ "$0" = judge ]; then
    for candidate in "$@"; do
        judge "$candidate"
    done
    exit 0
fi

refuse() { # refuse CODE SENTENCE
    printf '{"summary":{"run_id":%s,"exit_code":%s,"error":%s}}\n' "$(json "${CLEANER_RUN_ID:-}")" "$1" "$(json "$2")"
    exit "$1"
}

: "${CLEANER_ROOT:=/data}" "${CLEANER_SCAN:=/}" "${CLEANER_PATTERNS:=}" "${CLEANER_MODE:=inspect}"
: "${CLEANER_HELD:=fail}" "${CLEANER_HELD_TIMEOUT:=0}" "${CLEANER_RUN_ID:=}" "${CLEANER_SCRIPT:=}"
CLEANER_ROOT=${CLEANER_ROOT%/}

[ -n "$CLEANER_SCRIPT" ] || refuse 2 'CLEANER_SCRIPT is not set'
[ -n "$CLEANER_PATTERNS" ] || refuse 2 'CLEANER_PATTERNS is empty'
case $CLEANER_MODE in unlock | inspect) ;; *) refuse 2 "CLEANER_MODE is $CLEANER_MODE" ;; esac
case $CLEANER_HELD in wait | fail | delete) ;; *) refuse 2 "CLEANER_HELD is $CLEANER_HELD" ;; esac
case $CLEANER_HELD_TIMEOUT in '' | *[!0-9]*) refuse 2 "CLEANER_HELD_TIMEOUT is $CLEANER_HELD_TIMEOUT" ;; esac
for tool in find flock date sleep rm; do
    command -v "$tool" >/dev/null || refuse 5 "the image has no $tool: choose one with it, such as alpine or debian"
done

# The real path must lie in the volume: a link in it must not lead the search elsewhere.
root=$(cd -P -- "$CLEANER_ROOT/" 2>/dev/null && pwd -P) || refuse 4 "there is no folder $CLEANER_ROOT in this container"
scan=$(cd -P -- "$CLEANER_ROOT$CLEANER_SCAN" 2>/dev/null && pwd -P) ||
    refuse 4 "there is no folder $CLEANER_SCAN in the volume, or it may not be entered"
case $scan/ in "$root"/*) ;; *) refuse 2 "$CLEANER_SCAN leads out of the volume" ;; esac
CLEANER_ROOT=$root

CLEANER_DEADLINE=$(($(date +%s) + CLEANER_HELD_TIMEOUT))
export CLEANER_ROOT CLEANER_MODE CLEANER_HELD CLEANER_DEADLINE CLEANER_SCRIPT

# The patterns become find's own arguments: -name A -o -name B ...
newline='
'
old_ifs=$IFS
IFS=$newline
set --
for pattern in $CLEANER_PATTERNS; do
    [ $# -eq 0 ] || set -- "$@" -o
    set -- "$@" -name "$pattern"
done
IFS=$old_ifs

started=$(date +%s)
# No file name can forge a status line: the lines about files are JSON, in which a newline is escaped.
{
    # The text comes through the environment here as well: find would replace any {} in an argument.
    find "$scan" -xdev ! -path "$scan" \( "$@" \) -exec sh -c 'eval "$CLEANER_SCRIPT"' judge {} +
    printf 'find ended with %s\n' "$?"
} | {
    found=0 removed=0 held=0 kept=0 free=0 errors=0
    while IFS= read -r line; do
        case $line in
            'find ended with 0') continue ;;
            'find ended with '*)
                errors=$((errors + 1))
                line='{"path":'$(json "$CLEANER_SCAN")',"action":"error","why":"part of the tree could not be read"}'
                ;;
            *'"waiting":true}') ;;
            *'"action":"removed"'*) found=$((found + 1)) removed=$((removed + 1)) ;;
            *'"action":"held"'*) found=$((found + 1)) held=$((held + 1)) ;;
            *'"action":"kept"'*) found=$((found + 1)) kept=$((kept + 1)) ;;
            *'"action":"free"'*) found=$((found + 1)) free=$((free + 1)) ;;
            *'"action":"error"'*) found=$((found + 1)) errors=$((errors + 1)) ;;
        esac
        printf '%s\n' "$line"
    done
    code=0
    [ "$held" -gt 0 ] && [ "$CLEANER_MODE" = unlock ] && code=3
    [ "$errors" -gt 0 ] && code=4
    printf '{"summary":{"run_id":%s,"mode":"%s","exit_code":%s,"found":%s,"removed":%s,"held":%s,"kept":%s,"free":%s,"errors":%s,"seconds":%s}}\n' \
        "$(json "$CLEANER_RUN_ID")" "$CLEANER_MODE" "$code" "$found" "$removed" "$held" "$kept" "$free" "$errors" \
        $(($(date +%s) - started))
    exit "$code"
}
