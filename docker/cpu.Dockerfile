# rexdense on a CPU. From the root of the repository:
#   make image
#   docker run --rm -it -v "$PWD:/workspace" rexdense:cpu demo
# mmcv's operators are compiled in the first stage, whose compiler the second does without.
FROM python:3.11-slim-bookworm AS build
RUN apt-get update && apt-get install --yes --no-install-recommends g++ make \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /source
COPY . .
# TORCH and PIP_EXTRA_INDEX_URL choose the build of torch; without them it is the index's own.
ARG TORCH=
ARG PIP_EXTRA_INDEX_URL=
RUN PIP_EXTRA_INDEX_URL="$PIP_EXTRA_INDEX_URL" PIP_NO_CACHE_DIR=1 \
    make setup PYTHON=python3 VENV=/opt/rexdense TORCH="$TORCH" \
    && /opt/rexdense/bin/pip install --no-deps --no-build-isolation --force-reinstall .

FROM python:3.11-slim-bookworm
COPY --from=build /opt/rexdense /opt/rexdense
ENV PATH=/opt/rexdense/bin:$PATH OMP_WAIT_POLICY=passive
RUN useradd --create-home rexdense
USER rexdense
WORKDIR /workspace
ENTRYPOINT ["rexdense"]
CMD ["--help"]
