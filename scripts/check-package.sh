#!/usr/bin/env bash
# Packs tokensift, installs it into an empty project, and runs what README.md promises of an installed package.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

npm run build
npx publint --strict
npm pack --silent --pack-destination "$work"
npx attw "$work"/tokensift-*.tgz --profile esm-only --format ascii

cd "$work"
npm init --yes --init-type=module >/dev/null
npm pkg set type=module >/dev/null
npm install --ignore-scripts --no-audit --no-fund --prefer-offline ./tokensift-*.tgz
cp -r "$root/models" "$root/datasets" .
npx tokensift doctor
node "$root/node_modules/tsx/dist/cli.mjs" "$root/scripts/readme-examples.ts" "$work" --commands
node "$root/node_modules/typescript/bin/tsc" ./*.ts --noEmit --strict --skipLibCheck --target es2022 \
  --lib es2023,esnext.disposable,dom --module nodenext --typeRoots "$root/node_modules/@types" --types node
echo "README: the examples pass the type check"
