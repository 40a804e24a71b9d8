#!/usr/bin/env bash
# Tables 3, 4 and 5 at small width: 14 networks from scratch, two at a time, and what each reaches on BSD100.
#     benchmarks/ablations.sh ROOT    ROOT holds bsd100; then: localsr report runs/ablations/* -o report
# A row that is trained, or evaluated, is not done again; one that was broken off goes on.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$1
export PATH="$PWD/.venv/bin:$PATH" OMP_NUM_THREADS=1 root
rows=(
    "modules-none model.gcm=false model.pim=false" "modules-pim model.gcm=false" "modules-gcm model.pim=false" "modules-both"
    "lambda-0 steps=1000 context_loss=[0.0,0.0]" "lambda-0.1 steps=1000 context_loss=[0.1,0.1]"
    "lambda-0.5 steps=1000 context_loss=[0.5,0.5]" "lambda-0.8 steps=1000 context_loss=[0.8,0.8]"
    "lambda-1 steps=1000 context_loss=[1.0,1.0]"
    "padding-0 steps=1000 model.halo=[0,0,0,0]" "padding-2 steps=1000 model.halo=[2,2,2,2]"
    "padding-4 steps=1000 model.halo=[4,4,4,4]" "padding-8 steps=1000 model.halo=[8,8,8,8]"
    "padding-12 steps=1000 model.halo=[12,12,12,12]"
)
row() {
    set -- $1
    local name=$1 settings=(--set "name=$1") saved="runs/$1/last.ckpt" network="runs/$1/$1.safetensors" way=clsr
    shift
    for setting in "$@"; do settings+=(--set "$setting"); done
    [ "$name" != modules-none ] || way=halo
    if [ ! -e "$network" ]; then
        localsr train recipes/ablation.toml "${settings[@]}" $([ ! -e "$saved" ] || echo --resume) > "runs/$name.log" 2>&1
    fi
    localsr evaluate --data bsd100 --root "$root" --model "$network" --strategy "$way" -o "runs/ablations/$name"
}
export -f row
mkdir -p runs
printf '%s\n' "${rows[@]}" | xargs -d '\n' -P 2 -I ROW bash -euo pipefail -c 'row "$0"' ROW
