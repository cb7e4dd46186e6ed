#!/bin/sh
# Builds the simulated driver: build.sh OUTDIR makes OUTDIR/libcuda.so.1 and OUTDIR/libnvidia-ml.so.1.
# CC and CFLAGS in the environment are taken, e.g. CFLAGS="-g -fsanitize=address,undefined".
set -eu
out=${1:?usage: build.sh OUTDIR}
source=$(cd "$(dirname "$0")" && pwd)/source
flags="-std=gnu11 -O2 -Wall -Wextra -Werror -fvisibility=hidden -ffp-contract=off -fPIC -shared -Wl,-z,defs"
mkdir -p "$out"
build() { # soname, then the files
  name=$1
  shift
  # Built beside and renamed: what runs with the former library keeps it.
  ${CC:-gcc} $flags ${CFLAGS:-} -Wl,-soname,"$name" -o "$out/.$name.new" "$@" -lm -lpthread
  mv "$out/.$name.new" "$out/$name"
}
cd "$source"
build libcuda.so.1 api_*.c errors.c fault.c memory.c ptx_*.c
build libnvidia-ml.so.1 nvml.c fault.c
