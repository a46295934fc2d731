#!/usr/bin/env bash
# What only a machine with a GPU shows, in 6 minutes at most:  ./run.sh [--device cpu]
#
# Needs a python3 (or PYTHON=PROGRAM) with torchvision and the PyTorch of the release in the file `libtorch`, whose libraries the
# programs use. Prints a table, and writes it with report.json and what each section said into OUT (`report`). With --device cpu
# everything is computed on the processor, on little: to try the kit itself.
set -uo pipefail
out=$(realpath -m "${OUT:-$(dirname "$0")/report}")
cd "$(dirname "$0")" || exit 1

device=cuda:0
case "$*" in
  '') ;;
  '--device cpu') device=cpu ;;
  *) echo "expected no argument or --device cpu, found: $*" >&2; exit 2 ;;
esac
python=${PYTHON:-python3} release=$(cat libtorch) at_most=${SECONDS_AT_MOST:-350}
torch=$("$python" -c 'import os, torch; print(torch.__version__, os.path.dirname(torch.__file__))') || {
  echo "$python cannot import torch: say PYTHON=PROGRAM for one that can" >&2; exit 1
}
version=${torch%% *}
case "$version" in
  "$release".*) ;;
  *) echo "$python has torch $version, and the programs were built for $release" >&2; exit 1 ;;
esac
export LD_LIBRARY_PATH="${torch#* }/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
export PRETEXT_BENCH_DEVICE=$device PRETEXT_PYTHON=$python PRETEXT_PEERS=$PWD/peers
export PRETEXT_GOLDEN=$PWD/golden PRETEXT_GOLDEN_DEVICE=$device
mkdir -p "$out" || exit 1
gpu=none
[ "$device" = cpu ] || gpu=$(nvidia-smi --query-gpu=name,driver_version --format=csv,noheader | head -n 1)

sections='' failed=0 SECONDS=0
# NAME PERCENT LINES COMMAND...: runs it for at most so much of the time, and no longer than to the end of it. Of what it says the
# last line of JSON becomes its figures, and so many of the last lines that are none are shown; more where it has not passed.
section() {
  local name=$1 lines=$3 began=$SECONDS status figures
  local most=$((at_most * 10 * $2)) left=$(((at_most - began) * 1000)) # milliseconds
  shift 3
  ((left < most)) && most=$left
  if ((most > 0)); then
    timeout --kill-after=2 "$((most / 1000)).$(printf %03d $((most % 1000)))" "$@" > "$out/$name.log" 2>&1 < /dev/null
    case $? in 0) status=passed ;; 124 | 137) status='out of time' ;; *) status=failed ;; esac
  else
    status='out of time'
    : > "$out/$name.log"
  fi
  [ "$status" = passed ] || failed=1 lines=14
  figures=$(grep -a '^{.*}$' "$out/$name.log" | tail -n 1)
  sections+="${sections:+,}\"$name\":{\"status\":\"$status\",\"seconds\":$((SECONDS - began)),\"figures\":${figures:-null}}"
  printf '%-10s  %-11s  %4s s\n' "$name" "$status" $((SECONDS - began))
  grep -av -e '^{.*}$' -e '^$' "$out/$name.log" | tail -n "$lines" | sed 's/^/            /'
}

run_all() {
  printf 'pretext %s on %s, torch %s, %s\n\n' "$(cat made-of)" "$device" "$version" "$gpu"
  section doctor 5 14 bin/pretext doctor --offline --store store
  section golden 15 2 bin/golden --quiet
  section operations 15 1 bin/operations --quiet nn::ops::tests
  section trainings 15 5 bin/pretext-bench-gpu trainings
  section resume 25 2 bin/pretext-bench-gpu resume
  section waits 25 2 bin/pretext-bench-gpu waits
  section epoch 15 2 bin/pretext-bench-gpu epoch
  section speed 100 13 bin/pretext-bench-gpu speed
  printf '{"made_of":"%s","device":"%s","gpu":"%s","torch":"%s","seconds":%s,"sections":{%s}}\n' \
    "$(cat made-of)" "$device" "$gpu" "$version" "$SECONDS" "$sections" > "$out/report.json"
  printf '\n%s s; report.json and what each section said are in %s\n' "$SECONDS" "$out"
  return $failed
}

run_all | tee "$out/report.txt"
