#!/usr/bin/env bash
# Installs the optional TensorFlow engine: `npm run setup:tensorflow -- cpu` or `-- gpu`.
#
# @tensorflow/tfjs-node is a small addon around TensorFlow's C library. Its own installer fetches an old build of that
# library (CUDA 11.2); this script takes it from TensorFlow's Python wheel instead, so npm and PyPI are all it needs.
#
#   cpu   TensorFlow 2.15: 0.2 GB to download, 0.6 GB on disk
#   gpu   TensorFlow 2.18 with its CUDA 12.5 and cuDNN 9.3: 2.2 GB to download, 3.4 GB on disk; the driver is yours
#
# Needs Linux x86_64, Node with its headers, npm, python3 with pip, g++ and make. The libraries are kept in
# $TENSORFLOW_HOME (default: ~/.cache/tokensift/tensorflow-<variant>); package.json and the lock file stay as they are.
set -euo pipefail
cd "$(dirname "$0")/.."

fail() {
  echo "setup:tensorflow: $1" >&2
  exit 2
}

variant=${1:-}
case $variant in
  cpu) wheels=(tensorflow-cpu==2.15.1) ;;
  gpu)
    # the versions that this TensorFlow's own extra `and-cuda` names
    wheels=(tensorflow==2.18.1
      nvidia-cublas-cu12==12.5.3.2 nvidia-cuda-nvrtc-cu12==12.5.82 nvidia-cuda-runtime-cu12==12.5.82
      nvidia-cudnn-cu12==9.3.0.75 nvidia-cufft-cu12==11.2.3.61 nvidia-cusolver-cu12==11.6.3.83
      nvidia-cusparse-cu12==12.5.1.3 nvidia-nvjitlink-cu12==12.5.82)
    ;;
  *) fail "say which: npm run setup:tensorflow -- cpu, or -- gpu" ;;
esac
[ "$(uname -sm)" = "Linux x86_64" ] || fail "Linux x86_64 only; elsewhere: npm install --no-save @tensorflow/tfjs-node"
for tool in node npm python3 g++ make; do
  command -v "$tool" >/dev/null || fail "$tool is missing"
done

home=${TENSORFLOW_HOME:-$HOME/.cache/tokensift/tensorflow-$variant}
package=node_modules/@tensorflow/tfjs-node
mkdir -p "$home"
home=$(cd "$home" && pwd)

fetch_wheel() { # name==version, folder
  python3 -m pip download --quiet --disable-pip-version-check --no-cache-dir --no-deps --only-binary=:all: \
    --implementation cp --python-version 3.11 --abi cp311 --abi none \
    --platform manylinux2014_x86_64 --platform manylinux_2_17_x86_64 --dest "$2" "$1"
}

unpack_wheel() { # wheel, folder: the shared libraries and the C headers, nothing else
  python3 - "$1" "$2" <<'PYTHON'
import pathlib, re, shutil, sys, zipfile

wheel, home = sys.argv[1], pathlib.Path(sys.argv[2])
wanted = re.compile(
    r"tensorflow/(?P<library>libtensorflow_(?:cc|framework)\.so\.2)"
    r"|tensorflow/(?P<header>include/(?:tensorflow/c|tensorflow/core/platform|tensorflow/tsl|tsl|xla/tsl)/.+\.h)"
    r"|(?P<cuda>nvidia/\w+/lib/.+\.so[.\d]*)"
)
with zipfile.ZipFile(wheel) as archive:
    for entry in archive.infolist():
        match = wanted.fullmatch(entry.filename)
        if match is None:
            continue
        # TensorFlow looks for CUDA in ../nvidia beside its own library
        target = home / (f"lib/{match['library']}" if match["library"] else match["header"] or match["cuda"])
        target.parent.mkdir(parents=True, exist_ok=True)
        with archive.open(entry) as source, target.open("wb") as copy:
            shutil.copyfileobj(source, copy, 1 << 20)
PYTHON
}

if [ "$(cat "$home/complete" 2>/dev/null || true)" != "${wheels[*]}" ]; then
  rm -rf "$home/complete" "$home/lib" "$home/include" "$home/nvidia"
  download=$(mktemp -d "$home/download.XXXXXX")
  trap 'rm -rf "$download"' EXIT
  for wheel in "${wheels[@]}"; do # one at a time, so that the disk never holds all of them twice
    echo "fetching $wheel"
    fetch_wheel "$wheel" "$download"
    unpack_wheel "$download"/*.whl "$home"
    rm -f "$download"/*.whl
  done
  # the names the addon links with
  ln -sf libtensorflow_cc.so.2 "$home/lib/libtensorflow.so"
  ln -sf libtensorflow_framework.so.2 "$home/lib/libtensorflow_framework.so"
  echo "${wheels[*]}" >"$home/complete"
fi

echo "building the addon"
npm install --no-save --no-audit --no-fund --ignore-scripts --loglevel=error @tensorflow/tfjs-node@4.22.0
rm -rf "$package/deps"
ln -s "$home" "$package/deps"
node_prefix=$(node -p 'require("path").resolve(process.execPath, "../..")')
if [ -f "$node_prefix/include/node/node_api.h" ]; then
  export npm_config_nodedir=$node_prefix
fi
(cd "$package" && PATH="$PWD/../../.bin:$PATH" node-pre-gyp install --build-from-source) >"$home/build.log" 2>&1 ||
  { tail -n 30 "$home/build.log" >&2; fail "the addon did not build; the whole log is $home/build.log"; }

TF_CPP_MIN_LOG_LEVEL=2 npx tsx scripts/check-tensorflow.ts "$variant"
