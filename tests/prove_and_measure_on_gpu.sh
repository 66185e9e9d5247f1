#!/usr/bin/env bash
# On a machine with a GPU, in ten minutes: the tests that need one, what speed there is, then as many
# cells of Table 3 on CIFAR-10 as time allows. Run it again to go on where it stopped.
#
#   tests/prove_and_measure_on_gpu.sh OUT     OUT: a folder for what is to be taken home
#
# It needs the project's dependencies in $PYTHON, and CIFAR-10 in $BENCH_DATA (`bench data list`).
# Everything can be set: SECONDS_IN_ALL, SUITE, OVERRIDES, DEVICE. With DEVICE=cpu it tries itself
# out: everything but CUDA is real, and the tests that need a GPU are skipped by name.
set -uo pipefail
out=$(mkdir -p "${1:?say where results go}" && cd "$1" && pwd)
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}
device=${DEVICE:-cuda}
suite=${SUITE:-table3}
read -ra overrides <<<"${OVERRIDES-train.epochs=100}"
results=${BENCH_RESULTS:-results/gpu}
deadline=$((SECONDS + ${SECONDS_IN_ALL:-570}))
export PYTHONPATH=$PWD PYTHONUNBUFFERED=1

left() { echo $((deadline - SECONDS - 20)); } # 20 s to stop and to pack

step() { # NAME LIMIT COMMAND...: once, unless it was done before; its output in OUT and here
  local name=$1 limit=$2
  shift 2
  local kept=$results/$name.txt
  mkdir -p "$results"
  if [ ! -e "$kept" ]; then
    [ "$(left)" -lt "$limit" ] && limit=$(left)
    [ "$limit" -gt 0 ] || return 0 # the next call's
    echo "== $name: $*"
    timeout --foreground --signal=INT --kill-after=20 "$limit" "$@" >"$kept.part" 2>&1
    echo "exit code $?" >>"$kept.part"
    mv "$kept.part" "$kept"
    tail -n 25 "$kept"
  fi
  cp "$kept" "$out/"
}

command -v nvidia-smi >/dev/null && nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv
step tests 150 "$python" -m pytest -q -m gpu -p no:cacheprovider
step speed 120 "$python" -m bench perf --device "$device" --quick --compile
packed=(--slots-per-gpu auto) size=()
[ "$device" = cpu ] && packed=() size=(--threads 1 --width 8 --image 8)
step together 90 "$python" tests/benchmarks/stacking.py --device "$device" --k 1 4 16 --rounds 3 "${size[@]}"

if [ "$(left)" -gt 0 ]; then
  echo "== cells: $suite ${overrides[*]}"
  timeout --foreground --signal=INT --kill-after=60 "$(left)" "$python" -m bench run "$suite" "${overrides[@]}" \
    --results "$results" --device "$device" "${packed[@]}" --checkpoint-every 60s --quiet
  echo "exit code $? (130: time was up; run it again to go on)"
fi
rm -f "$out/records.tar.gz"
"$python" -m bench export --results "$results" --no-weights --output "$out/records.tar.gz" || true
"$python" -m bench leaderboard "$suite" "${overrides[@]}" --results "$results" \
  --format md >"$out/leaderboard.md" || true
ls -l "$out"
