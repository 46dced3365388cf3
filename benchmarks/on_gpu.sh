#!/usr/bin/env bash
# All that a GPU has to prove, in an order that may be stopped anywhere: what is done is in OUT.
#
#   benchmarks/on_gpu.sh OUT [DEVICE] [DATA] [MINUTES]
#
# DEVICE is cuda, or cpu for a rehearsal of a minute on networks of no use. DATA is for
# train.findings (a data set as for train/run.py, "none" leaves it out), MINUTES how long each of its
# runs may train. PYTHON chooses the interpreter, by default that of .venv. No network is used.
set -u
cd "$(dirname "$0")/.."
OUT=$(realpath -m "${1:?where to write}") DEVICE=${2:-cuda} DATA=${3:-none} MINUTES=${4:-1}
[ -x .venv/bin/python ] && own=.venv/bin/python || own=python3
PYTHON=${PYTHON:-$own}
export AVATAR_TEST_DEVICE=$DEVICE PYTHONPATH=$PWD${PYTHONPATH:+:$PYTHONPATH}
export PYTHONUNBUFFERED=1 HF_HUB_OFFLINE=1
export AVATAR_CACHE=${AVATAR_CACHE:-$OUT/cache}
mkdir -p "$OUT"

failed=0
part() { # NAME COMMAND...: output to OUT/NAME.log, time and outcome to OUT/summary.txt
  local name=$1 start=$SECONDS
  shift
  echo "== $name: $*"
  timeout "${LIMIT:-420}" "$@" > "$OUT/$name.log" 2>&1
  local code=$?
  [ $code = 0 ] || failed=1
  echo "$name: exit code $code after $((SECONDS - start)) s" | tee -a "$OUT/summary.txt"
  tail -n 3 "$OUT/$name.log"
}

tiny=() size=real
[ "$DEVICE" != cpu ] || { tiny=(--tiny --rounds 1) size=tiny; }
[ -z "${MODEL:-}" ] || tiny+=(--model "$MODEL")

$PYTHON -c 'import platform, torch; print(platform.python_version(), torch.__version__, torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU")' |
  tee "$OUT/summary.txt"
# First what may be wrong, then how fast it is; what waits for a compiler comes last in both.
part checks $PYTHON -m pytest -m gpu tests/gpu -p no:cacheprovider --ignore=tests/gpu/test_with_compile.py
part benchmarks $PYTHON -m benchmarks.gpu --device "$DEVICE" --out "$OUT" "${tiny[@]}"
part compile-checks $PYTHON -m pytest -m gpu tests/gpu/test_with_compile.py -p no:cacheprovider
if [ "$DATA" != none ]; then
  LIMIT=infinity part findings $PYTHON -m train.findings --data "$DATA" --size $size --minutes "$MINUTES" \
    --device "$DEVICE" --work "$OUT/findings" --out "$OUT/findings/report.md"
fi
exit $failed
