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
#   CLEANER_PRUNE         name patterns of folders that are not looked into, one a line; may be empty
#   CLEANER_MODE          unlock: remove; inspect: look only (works on a read-only mount)
#   CLEANER_HELD          what to do with a lock that is held: wait, fail, or delete (unlock only)
#   CLEANER_HELD_TIMEOUT  how many seconds to wait, in all, for held locks to be let go
#   CLEANER_RUN_ID        goes into the summary
#
# It prints one JSON object a file, {"path", "action": "removed"|"held"|"kept"|"free"|"error", "why", ...}, what its tools
# complained about as {"note"}, each ten seconds where it is or what it waits for as {"progress"}, and as its last line
# {"summary": {...}}; nothing else, whatever the files are called.
# Paths are relative to the volume; a byte that is no UTF-8 is told as \udcXX. Exit codes: 0 done, 2 wrong input, 3 locks
# are still held, 4 something could not be read, probed or removed, 5 the image lacks a tool, 143 it was told to stop.
#
# A file with more than one name (a hard link) is kept: one that somebody linked from a cache or a backup is data, and one
# that is linked to on purpose is how programs lock over NFS without a lock call.

set -u
set -f # no word of ours is ever a file name pattern for the shell
LC_ALL=C
export LC_ALL

# Sets $json to $1 as a JSON string; printing it would take a subshell, which a signal could end half-way. The slow way is
# for names with a quote, a backslash or a byte that is not printable ASCII.
json() {
    case $1 in
        *[!\ -~]* | *[\"\\]*) ;;
        *)
            json=\"$1\"
            return
            ;;
    esac
    for json_try in 1 2 3; do
        json_bytes "$1"
        [ -n "$json_rest" ] || break # else od was ended half-way
    done
    json=\"$json_done\"
}

# Valid UTF-8 stays as it is. What is none would be replaced on the way through the log, and two names be told as one: it
# becomes \udcXX, which no valid text has in it.
json_bytes() {
    json_rest=$1 json_done= json_begun= json_broken= json_wanted=0
    for json_hex in $(printf '%s' "$1" | od -An -v -tx1); do
        json_tail=${json_rest#?}
        json_char=${json_rest%"$json_tail"}
        json_rest=$json_tail
        if [ "$json_wanted" -gt 0 ]; then
            json_begun=$json_begun$json_char json_broken="$json_broken\\udc$json_hex"
            case $json_hex in
                $json_range)
                    json_wanted=$((json_wanted - 1)) json_range='[89ab]?'
                    [ "$json_wanted" -gt 0 ] || json_done=$json_done$json_begun
                    continue
                    ;;
            esac
            json_done=$json_done${json_broken%"\\udc$json_hex"} json_wanted=0
        fi
        json_begun=$json_char json_broken="\\udc$json_hex" json_range='[89ab]?'
        case $json_hex in
            22 | 5c) json_done=$json_done\\$json_char ;;
            [01]? | 7f) json_done="$json_done\\u00$json_hex" ;;
            [2-7]?) json_done=$json_done$json_char ;;
            c[2-9a-f] | d?) json_wanted=1 ;;
            e0) json_wanted=2 json_range='[ab]?' ;;
            ed) json_wanted=2 json_range='[89]?' ;;
            e?) json_wanted=2 ;;
            f0) json_wanted=3 json_range='[9ab]?' ;;
            f[1-3]) json_wanted=3 ;;
            f4) json_wanted=3 json_range='8?' ;;
            *) json_done=$json_done$json_broken ;;
        esac
    done
    [ "$json_wanted" -eq 0 ] || json_done=$json_done$json_broken
}

tell() { # tell ACTION WHY [MORE]: one line about $file; a single printf, so that lines never mix
    json "${file#"$CLEANER_ROOT"}"
    tell_path=$json
    json "$2"
    printf '{"path":%s,"action":"%s","why":%s%s}\n' "$tell_path" "$1" "$json" "${3:-}"
}

# Whether to go on: nobody told this process to stop, nor the shell that answers for it, and that one lives. A dead one may
# stay as a zombie for as long as its parent does not ask for it. Now and then a signal to this process gets lost (seen with
# bash, once in some hundreds): that the other was told is seen by its folder, which is /proc then.
stopping=
moved='its folder was moved, removed or replaced while it was looked at'
alive() {
    [ -z "$stopping" ] && ! [ "/proc/$CLEANER_PID/cwd" -ef /proc ] &&
        { read -r alive_stat <"/proc/$CLEANER_PID/stat"; } 2>/dev/null || return 1
    case ${alive_stat##*) } in [ZX]*) return 1 ;; esac
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

await_release() { # until the lock on descriptor 9 is ours, or there is nothing to wait for any more
    probe
    probed=$?
    [ "$probed" -eq 1 ] && [ "$CLEANER_MODE" = unlock ] && [ "$CLEANER_HELD" = wait ] && alive || return "$probed"
    tell held 'waiting for its holder to let go' ',"waiting":true'
    while [ "$probed" -eq 1 ] && [ "$(date +%s)" -lt "$CLEANER_DEADLINE" ] && unchanged && alive; do
        sleep 1
        probe
        probed=$?
    done
    return "$probed"
}

# Sets $why to the rule by which ./NAME is no lock file, or to nothing.
rule() {
    why=
    if [ -L "$name" ]; then
        why='it is a link'
    elif ! [ -e "$name" ]; then
        why='it vanished while it was looked at'
    elif ! [ -f "$name" ]; then
        why='it is not a regular file'
    elif [ "$name" = ./LOCK ]; then
        if ! [ -f ./CURRENT ] || [ -L ./CURRENT ]; then
            why='there is no CURRENT beside it, so it is not a lock of RocksDB'
        elif [ -s "$name" ]; then
            why='it has content, so it is not a lock of RocksDB'
        fi
    fi
    return 0
}

enter() { # go to the folder that $file was found in, if it is still there and no link has come in its way
    cd -P -- "$folder" 2>/dev/null && [ "$PWD" = "$folder" ]
}

unchanged() { # whether $file is still the very file that descriptor 9 is open on
    enter && [ "$name" -ef /proc/self/fd/9 ] && ! [ -L "$name" ]
}

count_names() { # sets $names to how many names the open file has, by any path to it
    # shellcheck disable=SC2046 # its words are wanted
    set -- $(ls -ldLn /proc/self/fd/9 2>/dev/null)
    names=${2:-0}
}

# With descriptor 9 open on $file: the rules once more, since much may have changed while it was waited for, and then the
# removal, while the lock is ours: until it is gone nobody else can take it.
decide() {
    await_release
    probed=$?
    alive || return 0 # a probe that was cut off says nothing
    forced=
    count_names
    if [ "$probed" -eq 2 ]; then
        tell error "it could not be probed: $probe_said"
    elif ! enter; then
        tell kept "$moved"
    elif rule && [ -n "$why" ]; then
        tell kept "$why"
    elif ! unchanged; then
        tell kept 'it was replaced while it was looked at'
    elif [ "$probed" -eq 1 ] && ! { [ "$CLEANER_MODE" = unlock ] && [ "$CLEANER_HELD" = delete ]; }; then
        tell held 'another process holds it'
    elif [ "$names" -ne 1 ]; then
        tell kept 'it has more than one name (hard links)'
    elif [ "$CLEANER_MODE" = inspect ]; then
        tell free 'nobody holds it'
    else
        [ "$probed" -eq 0 ] || forced=',"was_held":true'
        remove
    fi
}

remove() {
    alive || return 0
    # A signal must not end rm half-way; one that comes before it has begun does no harm.
    said=$(trap '' TERM INT HUP && rm -f -- "$name" 2>&1)
    failed=$?
    if ! [ "$name" -ef /proc/self/fd/9 ] && { [ "$failed" -eq 0 ] || [ "$failed" -gt 128 ]; }; then
        tell removed "${forced:+it was held; removed by explicit word (held_locks is delete)}" "$forced"
    elif alive; then
        tell error "it could not be removed: $said"
    fi
}

# judge FILE: all by its name in its own folder, so that whoever renames or replaces a folder on the way meanwhile can't
# lead the removal to another file.
judge() {
    file=$1
    folder=${file%/*}
    name=./${file##*/}
    if ! enter; then
        if [ -d "$folder" ] && ! cd -P -- "$folder" 2>/dev/null; then
            tell error 'its folder could not be entered'
        elif [ "${#file}" -ge 4096 ]; then
            tell error 'its path is too long'
        else
            tell kept "$moved"
        fi
        return
    fi
    rule
    if [ -n "$why" ]; then
        tell kept "$why"
    elif [ "$CLEANER_MODE" = inspect ]; then
        { decide; } 9<"$name" || tell error 'it could not be opened for reading'
    else
        # NFS locks exclusively only what is open for writing, and <> would create a file that has vanished, or the target
        # of a link that has come in its place. What is open already is opened again without looking at its name.
        {
            { decide; } 9<>/proc/self/fd/8 || tell error 'it could not be opened for writing'
        } 8<"$name" || tell error 'it could not be opened for reading'
    fi
}

# progress PID: says each second that it has passed, and each ten how far the search has come, until it is ended. The
# shell PID has find as its child, and what find has open is where it is: neither costs a process, nor anything for each
# file.
progress() {
    progress_seconds=0
    while sleep 1 >/dev/null 4>&- && alive && [ -d "/proc/$1" ]; do
        progress_seconds=$((progress_seconds + 1))
        printf 'second %s\n' "$progress_seconds"
        [ $((progress_seconds % 10)) -eq 0 ] || continue
        progress_folder= progress_children=
        read -r progress_children <"/proc/$1/task/$1/children" || :
        set +f
        for progress_child in $progress_children; do
            for progress_open in "/proc/$progress_child/fd"/*; do
                cd -P -- "$progress_open" || continue
                case $PWD in
                    "$CLEANER_START" | "$CLEANER_START"/*) [ "${#PWD}" -lt "${#progress_folder}" ] || progress_folder=$PWD ;;
                esac
            done
        done
        set -f
        cd / || return
        # With nothing open it has seen everything, and waits for the last locks to be judged.
        if [ -n "$progress_folder" ]; then
            progress_folder=${progress_folder#"$CLEANER_ROOT"}
            progress_folder=", now in ${progress_folder:-/}"
        fi
        json "$progress_folder"
        printf 'progress %s\n' "$json"
    done 2>/dev/null
}

# find starts this script again, for many files at once, with `judge` in the place of its name, or `pruned`.
if [ "$0" = pruned ]; then
    printf 'pruned %s\n' "$#"
    exit 0
fi
if [ "$0" = judge ]; then
    trap 'stopping=1' TERM INT HUP
    for candidate in "$@"; do
        [ "$candidate" = "$CLEANER_START" ] || judge "$candidate"
        alive || {
            printf 'cut off\n'
            break
        }
    done
    exit 0
fi

refuse() { # refuse CODE SENTENCE
    json "${CLEANER_RUN_ID:-}"
    refuse_run=$json
    json "$2"
    printf '{"summary":{"run_id":%s,"exit_code":%s,"error":%s}}\n' "$refuse_run" "$1" "$json"
    exit "$1"
}

: "${CLEANER_ROOT:=/data}" "${CLEANER_SCAN:=/}" "${CLEANER_PATTERNS:=}" "${CLEANER_MODE:=inspect}"
: "${CLEANER_HELD:=fail}" "${CLEANER_HELD_TIMEOUT:=0}" "${CLEANER_RUN_ID:=}" "${CLEANER_SCRIPT:=}" "${CLEANER_PRUNE:=}"
CLEANER_ROOT=${CLEANER_ROOT%/}

[ -n "$CLEANER_SCRIPT" ] || refuse 2 'CLEANER_SCRIPT is not set'
[ -n "$CLEANER_PATTERNS" ] || refuse 2 'CLEANER_PATTERNS is empty'
case $CLEANER_MODE in unlock | inspect) ;; *) refuse 2 "CLEANER_MODE is $CLEANER_MODE" ;; esac
case $CLEANER_HELD in wait | fail | delete) ;; *) refuse 2 "CLEANER_HELD is $CLEANER_HELD" ;; esac
case $CLEANER_HELD_TIMEOUT in '' | 0?* | *[!0-9]*) refuse 2 "CLEANER_HELD_TIMEOUT is $CLEANER_HELD_TIMEOUT" ;; esac
for tool in find flock date sleep rm ls od; do
    command -v "$tool" >/dev/null || refuse 5 "the image has no $tool: choose one with it, such as alpine or debian"
done

[ -e /proc/self/fd/0 ] || refuse 5 'there is no /proc in this container'

# The real path must lie in the volume: a link in it must not lead the search elsewhere. $PWD rather than $(pwd), which
# would lose a newline at a folder's end, and so name another folder.
cd -P -- "$CLEANER_ROOT/" 2>/dev/null || refuse 4 "there is no folder $CLEANER_ROOT in this container"
root=$PWD
cd -P -- "$CLEANER_ROOT$CLEANER_SCAN" 2>/dev/null ||
    refuse 4 "there is no folder $CLEANER_SCAN in the volume, or it may not be entered"
CLEANER_START=$PWD
case $CLEANER_START/ in "$root"/*) ;; *) refuse 2 "$CLEANER_SCAN leads out of the volume" ;; esac
CLEANER_ROOT=$root
cd / || refuse 4 'the root folder may not be entered'

CLEANER_PID=$$
CLEANER_DEADLINE=$(($(date +%s) + CLEANER_HELD_TIMEOUT))
export CLEANER_ROOT CLEANER_START CLEANER_MODE CLEANER_HELD CLEANER_DEADLINE CLEANER_SCRIPT CLEANER_PID

# What matches every path below the first folder and not that folder itself: as many characters as it has, and more.
below= rest=$CLEANER_START
while [ -n "$rest" ]; do
    below=$below\? rest=${rest#?}
done

# The patterns become find's own arguments: -name A -o -name B ... A folder that is not looked into is never a collection
# or a segment, whatever those are called.
newline='
'
old_ifs=$IFS
IFS=$newline
set --
prune=
for pattern in $CLEANER_PRUNE; do
    if [ -z "$prune" ]; then set -- -type d -path "$below/*" '('; else set -- "$@" -o; fi
    set -- "$@" -name "$pattern" ! -path "*/collections/$pattern" ! -path "*/segments/$pattern"
    IFS=$old_ifs
    json "$pattern"
    IFS=$newline
    prune=${prune:+$prune,}$json
done
[ -z "$prune" ] || set -- "$@" ')' -prune -exec sh -c 'eval "$CLEANER_SCRIPT"' pruned '{}' + -o
patterns=
for pattern in $CLEANER_PATTERNS; do
    if [ -z "$patterns" ]; then set -- "$@" '('; else set -- "$@" -o; fi
    set -- "$@" -name "$pattern"
    patterns=yes
done
IFS=$old_ifs
[ -n "$patterns" ] || refuse 2 'CLEANER_PATTERNS is empty'
set -- "$@" ')'

# A container is told to stop by a SIGTERM to this shell alone, which as PID 1 has no default action for it: without a
# trap the removals would go on until the SIGKILL. All that it started is in its process group, where it leads one, and it
# stays until the report is whole; elsewhere its end is what the others notice.
leads=
read -r stat <"/proc/$$/stat" && {
    # shellcheck disable=SC2086 # its words are wanted: state, parent, process group
    case $(set -- ${stat##*) } && printf '%s' "$3") in "$$") leads=yes ;; esac
}
stop() {
    trap : TERM INT HUP
    [ -n "$leads" ] || exit 143
    stopping=1
    cd /proc || : # see alive
    kill -TERM 0
}
trap stop TERM INT HUP

started=$(date +%s)
# No file name can forge a status line: the lines about files are JSON, in which a newline is escaped. What find and the
# shells complain about has names in it as they are, and so never reaches the log unescaped.
{
    trap : TERM INT HUP
    {
        trap : TERM INT HUP # find is ended by it; but whoever it leaves behind still has something to say to us
        read -r searcher _ </proc/self/stat
        progress "$searcher" >&4 &
        ticker=$!
        # The text comes through the environment here as well: find would replace any {} in an argument.
        find "$CLEANER_START" -xdev "$@" -exec sh -c 'eval "$CLEANER_SCRIPT"' judge {} + 2>&1 >&4
        ended=$?
        # By what cannot be lost: a shell that was forked a moment ago may swallow any other signal, and then would be
        # awaited for ever.
        kill -KILL "$ticker"
        wait "$ticker"
        printf 'find ended with %s\n' "$ended" >&4
    } 2>/dev/null | {
        trap '' TERM INT HUP
        while IFS= read -r line || [ -n "$line" ]; do
            # A pipe takes 4096 bytes at once; a byte may become six.
            [ "${#line}" -le 600 ] || line=$(printf %.600s "$line")...
            json "$line"
            printf '{"note":%s}\n' "$json"
        done >&4
    }
} 4>&1 | {
    trap '' TERM INT HUP # it tells what was done until the last of the others has ended
    found=0 removed=0 held=0 kept=0 free=0 errors=0 pruned=0 ended= cut_off=
    seconds=0 waited=0 awaited= since=0
    while IFS= read -r line; do
        case $line in
            'find ended with 0')
                ended=yes
                continue
                ;;
            'cut off')
                cut_off=yes
                continue
                ;;
            'pruned '*)
                pruned=$((pruned + ${line#pruned }))
                continue
                ;;
            'second '*)
                seconds=${line#second }
                continue
                ;;
            'progress '*)
                if [ -n "$awaited" ]; then
                    line="waiting for $((seconds - since)) s for the holder of $awaited to let go, locks waited for so far: $waited"
                    line="{\"progress\":\"$line, lock files so far: $((found + 1))\"}"
                else
                    line="{\"progress\":\"looking for $seconds s, lock files so far: $found${line#progress \"}}"
                fi
                ;;
            'find ended with 129' | 'find ended with 130' | 'find ended with 143')
                ended=yes cut_off=yes
                continue
                ;;
            'find ended with '*)
                ended=yes
                errors=$((errors + 1))
                line='{"note":"part of the tree could not be read"}'
                ;;
            *'"waiting":true}')
                # One is waited for after the other. The path stays as it is told, escaped: no bare quote is in it.
                awaited=${line%%'","action":'*} waited=$((waited + 1)) since=$seconds
                awaited=${awaited#'{"path":"'}
                ;;
            *'"action":"removed"'*) found=$((found + 1)) removed=$((removed + 1)) awaited= ;;
            *'"action":"held"'*) found=$((found + 1)) held=$((held + 1)) awaited= ;;
            *'"action":"kept"'*) found=$((found + 1)) kept=$((kept + 1)) awaited= ;;
            *'"action":"free"'*) found=$((found + 1)) free=$((free + 1)) awaited= ;;
            *'"action":"error"'*) found=$((found + 1)) errors=$((errors + 1)) awaited= ;;
        esac
        printf '%s\n' "$line"
    done
    code=0
    [ "$held" -gt 0 ] && [ "$CLEANER_MODE" = unlock ] && code=3
    [ "$errors" -gt 0 ] && code=4
    if [ -z "$ended" ] || [ -n "$cut_off" ]; then
        code=143 cut_off=',"error":"it was stopped before it had looked at everything"'
    fi
    [ -z "$prune" ] || prune=",\"pruned\":{\"folders\":$pruned,\"patterns\":[$prune]}"
    json "$CLEANER_RUN_ID"
    printf '{"summary":{"run_id":%s,"mode":"%s","exit_code":%s,"found":%s,"removed":%s,"held":%s,"kept":%s,"free":%s,"errors":%s,"seconds":%s%s}}\n' \
        "$json" "$CLEANER_MODE" "$code" "$found" "$removed" "$held" "$kept" "$free" "$errors" \
        $(($(date +%s) - started)) "$prune$cut_off"
    exit "$code"
} &
reader=$!
[ -z "$stopping" ] || kill -TERM 0 # the word came before there was anybody to hear it
wait "$reader"
code=$?
if [ "$code" -lt 0 ] || [ "$code" -gt 128 ]; then # a signal ended the wait (bash may say -1 then), not the reader
    trap '' TERM INT HUP # what there is to stop has been told; one more signal would end the next wait as well
    for _again in 1 2 3; do # a signal that came just before is still told to one of them
        wait "$reader" 2>/dev/null
        again=$?
        [ "$again" -lt 0 ] || [ "$again" -gt 126 ] || {
            code=$again
            break
        }
    done
fi
[ "$code" -ge 0 ] && [ "$code" -le 128 ] || code=143
exit "$code"
