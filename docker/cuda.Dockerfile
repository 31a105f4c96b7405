# rexdense on NVIDIA GPUs. From the root of the repository:
#   make image-cuda ARGS='--build-arg PIP_EXTRA_INDEX_URL=...'
#   docker run --rm -it --gpus all --shm-size 8g -v "$PWD:/workspace" rexdense:cuda demo
# CUDA's version is that of the build of torch; mmcv's operators are compiled for both.
ARG CUDA=13.0.1
FROM nvidia/cuda:${CUDA}-devel-ubuntu24.04 AS build
RUN apt-get update && apt-get install --yes --no-install-recommends \
    g++ make python3 python3-dev python3-venv \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /source
COPY . .
ARG TORCH=torch==2.13.0+cu130
ARG PIP_EXTRA_INDEX_URL=
# No GPU is seen while an image is built: compute capabilities, from A100 to Blackwell.
ARG TORCH_CUDA_ARCH_LIST="8.0 8.6 8.9 9.0 10.0 12.0+PTX"
RUN PIP_EXTRA_INDEX_URL="$PIP_EXTRA_INDEX_URL" PIP_NO_CACHE_DIR=1 FORCE_CUDA=1 \
    TORCH_CUDA_ARCH_LIST="$TORCH_CUDA_ARCH_LIST" \
    make setup PYTHON=python3 VENV=/opt/rexdense TORCH="$TORCH" \
    && /opt/rexdense/bin/pip install --no-deps --no-build-isolation --force-reinstall .

FROM nvidia/cuda:${CUDA}-base-ubuntu24.04
RUN apt-get update && apt-get install --yes --no-install-recommends python3 \
    && rm -rf /var/lib/apt/lists/*
COPY --from=build /opt/rexdense /opt/rexdense
ENV PATH=/opt/rexdense/bin:$PATH OMP_WAIT_POLICY=passive
RUN useradd --create-home rexdense
USER rexdense
WORKDIR /workspace
ENTRYPOINT ["rexdense"]
CMD ["--help"]
