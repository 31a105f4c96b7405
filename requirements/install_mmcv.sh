# Installs mmcv with its operators compiled, torch's headers once for all of its files. To be run in
# an environment that has torch and build.txt: sh requirements/install_mmcv.sh onedl-mmcv==2.3.6
export MMCV_WITH_OPS=1
folder=$(mktemp -d) kept=none && trap 'rm -rf "$folder"' EXIT

# A compiler needs up to 1.5 GB.
memory=$(awk '/MemAvailable/ { print int($2 / 1.5e6) }' /proc/meminfo) cores=$(nproc)
jobs=$((memory < cores ? memory : cores))
export MAX_JOBS="${MAX_JOBS:-$((jobs > 1 ? jobs : 1))}"

# pip keeps wheels by Python's version alone, but mmcv's fits one torch, with a GPU or without.
if cache=$(python -m pip cache dir); then
    build=$(python -c 'import sys, torch
print(sys.implementation.cache_tag, torch.__version__, torch.cuda.is_available(), sep="-")')
    kept=$cache/rexdense/$1-$build
    export PIP_CACHE_DIR="$kept"
fi

# gcc takes a precompiled header only under the flags it was made with: setuptools', which CFLAGS
# replaces, and those that torch and mmcv, of both lines, add to each file. Where gcc does not take
# it, -Winvalid-pch says so in the log, and each file reads torch's headers anew: 13 minutes.
flags='-DNDEBUG -fwrapv -O3 -g0 -fPIC -std=c++17'
flags="$flags -DTORCH_API_INCLUDE_EXTENSION_H -DTORCH_EXTENSION_NAME=_ext"
header=$folder/torch_headers.hpp
printf '#include <torch/types.h>\n#include <vector>\n' > "$header"
places=$(python -c 'import sysconfig, torch.utils.cpp_extension as torch
print(*["-I" + place for place in [*torch.include_paths(), sysconfig.get_path("include")]])')
if ! find "$kept" -name '*mmcv-*.whl' | grep -q . &&
    ${CXX:-c++} --version | grep -q 'Free Software Foundation' &&
    ${CXX:-c++} $flags $places -x c++-header "$header" -o "$header.gch"; then
    export CFLAGS="$flags -Winvalid-pch -include $header"
fi
python -m pip install --verbose --no-deps --no-build-isolation "$1"
