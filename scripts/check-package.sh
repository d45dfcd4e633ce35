#!/usr/bin/env bash
# Packs tokensift, installs it into an empty project without its optional peers, and does there what README.md and docs/ promise
# of an installed package: the library, the command, types, and training by the command and by copies of a trainer.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

[ "${1:-}" = --built ] || npm run build
npm pack --silent --ignore-scripts --pack-destination "$work"
node_modules/.bin/publint run --strict "$work"/tokensift-*.tgz

cd "$work"
echo '{ "name": "own", "version": "1.0.0", "type": "module" }' >package.json
npm install --no-audit --no-fund --prefer-offline ./tokensift-*.tgz
size=$(($(du -sb node_modules | cut -f1) / 1000000)) # of the files: what a disk takes depends on its blocks
echo "installed: $size MB"
[ "$size" -lt 150 ]

cp -r "$root/models" "$root/datasets" .
node "$root/node_modules/tsx/dist/cli.mjs" "$root/scripts/page-examples.ts" "$work"

# a project's own types: without those of Node for the library alone, by the older compiler, as a bundler finds them, and all
# declarations checked
node -e '
  const { exports } = require("tokensift/package.json");
  const names = Object.keys(exports).filter((name) => typeof exports[name] === "object");
  const line = (name, i) => `export * as entry${i} from ${JSON.stringify("tokensift" + name.slice(1))};`;
  require("fs").writeFileSync("entries.mts", names.map(line).join("\n"));
'
check=(--noEmit --strict --skipLibCheck false --target es2022 --lib es2023)
node "$root/node_modules/typescript/bin/tsc" "${check[@]}" --module nodenext entries.mts --typeRoots "$work/none"
node "$root/node_modules/typescript-7/bin/tsc" "${check[@]}" --module nodenext ./*.ts --types node --checkers 1
node "$root/node_modules/typescript-7/bin/tsc" "${check[@]}" --module esnext --moduleResolution bundler entries.mts --typeRoots "$work/none" --checkers 1
echo "types: entries and examples pass, declarations included"

cp -r models/tiny own-model
for i in $(seq 1 20); do
  echo "{\"question\": \"Sami has $i bags . How many bags does Sami have ?\", \"answer\": \"Sami has $i bags . #### $i\"}"
done >own.jsonl
cat >own.yaml <<'YAML'
model: own-model
data: { train: own.jsonl }
training: { steps: 3, batchSize: 4, learningRate: 1e-4 }
output: runs/command
YAML
npx tokensift train sstoken --config own.yaml
grep -q "^npx tokensift train sstoken --config own.yaml$" runs/command/model/README.md
tokensift=node_modules/.bin/tokensift # what npx starts, which it takes most of a second to find
$tokensift recipe cp sstoken own.js
node own.js --config own.yaml --set output=runs/js
$tokensift recipe cp sstoken own.ts
node "$root/node_modules/tsx/dist/cli.mjs" own.ts --config own.yaml --set output=runs/ts
for copy in js ts; do cmp runs/command/model/model.safetensors "runs/$copy/model/model.safetensors"; done
echo "training: the command and copies of its trainer leave the same model"

cat >own-grid.yaml <<'YAML'
recipe: sstoken
base: own.yaml
seeds: [1]
metrics: [train.keptShare]
axes: { ratio: { selection.ratio: [1] } }
output: runs/grid
YAML
$tokensift reproduce own-grid.yaml
grep -q "^| ratio-1 | 1 | 1.0000 |" runs/grid/table.md
echo "grids: the command runs a cell and collects it"
