#!/bin/sh
# Puts @tensorflow/tfjs-node with its native addon into the node_modules of a folder, from npm and PyPI alone: its own install downloads
# from elsewhere. Linux on x64; needs npm, python3 with pip, g++ and strip. Takes half a minute, and 440 MB when it is done.
#   usage: scripts/tfjs-node.sh [FOLDER]    (default: the project)
set -eu

PACKAGE=4.22.0
# Its C API is stable. Wheels before 2.12 lack the library without Python, later ones are larger.
TENSORFLOW=2.12.1
NAPI=8

folder=${1:-$(dirname "$0")/..}
mkdir -p "$folder"
cd "$folder"
[ -f package.json ] || echo '{ "private": true }' > package.json
npm install --no-save --ignore-scripts --no-audit --no-fund --loglevel=error "@tensorflow/tfjs-node@$PACKAGE" node-api-headers@1.9.0

package=node_modules/@tensorflow/tfjs-node
addon=$package/lib/napi-v$NAPI/tfjs_binding.node
if [ ! -f "$addon" ]; then
  scratch=$(mktemp -d)
  trap 'rm -rf "$scratch"' EXIT
  python3 -m pip download --quiet --no-deps --only-binary=:all: --python-version 3.11 --implementation cp --platform manylinux_2_17_x86_64 \
    --dest "$scratch" "tensorflow-cpu==$TENSORFLOW"
  python3 -m zipfile -e "$scratch"/*.whl "$scratch/wheel"
  rm -rf "$package/deps"
  mkdir -p "$package/deps/lib" "$package/deps/include/tensorflow" "${addon%/*}"
  headers=$scratch/wheel/tensorflow/include/tensorflow
  for part in c core tsl; do cp -r "$headers/$part" "$package/deps/include/tensorflow/"; done
  for library in cc framework; do
    strip -o "$package/deps/lib/libtensorflow_$library.so.2" "$scratch/wheel/tensorflow/libtensorflow_$library.so.2"
  done
  # what the package's binding.gyp asks for; the libraries are found beside the addon, wherever the folder goes
  g++ -shared -fPIC -O2 -std=c++17 -fvisibility=hidden -DNAPI_VERSION=$NAPI -o "$addon" \
    -Inode_modules/node-api-headers/include -I"$package/deps/include" "$package"/binding/tfjs_backend.cc "$package"/binding/tfjs_binding.cc \
    -L"$package/deps/lib" -l:libtensorflow_cc.so.2 -l:libtensorflow_framework.so.2 -Wl,-rpath,'$ORIGIN/../../deps/lib'
  rm -rf "$package/deps/include"
fi

TF_CPP_MIN_LOG_LEVEL=2 node -e "
  const util = require('node:util');
  util.isNullOrUndefined ??= (value) => value === undefined || value === null; // Node has it no more
  const { matMul, tensor2d, version } = require('./$package');
  const [product] = matMul(tensor2d([[2, 3]]), tensor2d([[4], [5]])).dataSync();
  if (product !== 23) throw new Error('2·4 + 3·5 is not ' + product);
  console.log('@tensorflow/tfjs-node', version['tfjs-node'], 'works');"
