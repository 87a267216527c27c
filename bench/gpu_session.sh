#!/usr/bin/env bash
# One session on one GPU, under 8 minutes: how fast safecot_hf answers and how fast recipes train, on a Qwen2.5-VL of 3B size
# with random weights (nothing is downloaded). Writes a dated table to bench/results/gpu.md, or below DIR.
#
#   bench/gpu_session.sh [DIR]                    on a CUDA device
#   SHAPE=tiny bench/gpu_session.sh [DIR]         the same on a CPU with a tiny model: a test that the script runs
set -euo pipefail
cd "$(dirname "$0")/.."
export HF_HUB_OFFLINE=1 TOKENIZERS_PARALLELISM=false PYTHONUNBUFFERED=1
export PYTHONPATH="$PWD:$PWD/training:$PWD/reports${PYTHONPATH:+:$PYTHONPATH}"
exec timeout 470 "${PYTHON:-python3}" bench/gpu_session.py --shape "${SHAPE:-3b}" --out "${1:-bench/results}"
