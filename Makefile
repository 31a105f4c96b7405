# make demo and make test set up all that they need in a folder of their own, once. See make help.

PYTHON ?= python3
STACK ?= default
TORCH ?=
CONTAINER ?= docker

STACKS := default original
ifeq ($(filter $(STACK),$(STACKS)),)
$(error STACK=$(STACK) is not known; choose one of: $(STACKS))
endif

VENV ?= $(if $(filter original,$(STACK)),.venv-original,.venv)
RUN := $(VENV)/bin/python
# A process a core, each with one thread: torch's own threads would wait for one another. The order of
# the files is that of tests/durations.py: the longest first.
PYTEST := OMP_NUM_THREADS=1 OMP_WAIT_POLICY=passive $(RUN) -m pytest -n logical --dist loadfile --no-loadscope-reorder

.DEFAULT_GOAL := help
.PHONY: help setup demo mask-demo unet-demo pretrain-demo bench-guard test test-fast lint format types audit \
	licences wheel docs image image-cuda clean clean-environment

help: ## Show this list
	@sed -nE 's/^([a-z-]+):.*## (.*)/  make \1|\2/p' Makefile | column -t -s '|'
	@echo
	@echo '  PYTHON=python3.12        interpreter to build the environment with, 3.10 to 3.13'
	@echo '  STACK=original           the original OpenMMLab line, in .venv-original'
	@echo '  VENV=/folder             another place for the environment'
	@echo "  TORCH='torch==2.13.0+cu130'  another torch than the pinned one"
	@echo '  MAX_JOBS=1               compilers at once, where memory is short'
	@echo '  CONTAINER=podman         builder of the images'
	@echo "  ARGS='...'               passed on to what runs: demos, pytest, mypy, docker build"

setup: ## Build the environment, unless it is there (about 6 minutes on 2 idle cores, most of it compiling mmcv)
	@command -v '$(PYTHON)' > /dev/null || \
		{ echo 'There is no $(PYTHON); say which Python to use: make $(or $(MAKECMDGOALS),setup) PYTHON=python3.11'; exit 1; }
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; (3, 10) <= v <= (3, 13) or sys.exit( \
		"Set-up needs Python 3.10 to 3.13, this is %d.%d. Name another: make setup PYTHON=python3.11" % v)'
	@$(PYTHON) requirements/setup_environment.py $(STACK) '$(VENV)' '$(TORCH)' \
		'$(if $(filter file,$(origin PYTHON)),,$(PYTHON))'

demo: setup ## Train a small detector on drawn shapes and show what it predicts
	@$(RUN) -m rexdense demo $(ARGS)

mask-demo: setup ## Train a small Mask R-CNN on drawn shapes and show what it predicts
	@$(RUN) -m rexdense demo mask $(ARGS)

unet-demo: setup ## Train a small U-Net on drawn shapes and show what it predicts
	@$(RUN) -m rexdense demo unet $(ARGS)

pretrain-demo: setup ## Train a classifier on drawn crops, and a detector from it and from random weights
	@$(RUN) -m rexdense demo pretrain $(ARGS)

bench-guard: setup ## Compare the speed of an optimised backbone with the kept one, on an idle machine
	@$(RUN) -m rexdense benchmark backbone rexnet_1.0 --shape 8x3x224x224 --kept benchmarks/results/guard.json $(ARGS)

test: lint ## Check the style, then run the tests
	@$(PYTEST) $(ARGS)

test-fast: lint ## The same without the tests that take long
	@$(PYTEST) -m 'not slow' $(ARGS)

lint: setup ## Check the style with ruff
	@$(RUN) -m ruff check .
	@$(RUN) -m ruff format --check .

format: setup ## Put the code into ruff's form
	@$(RUN) -m ruff check --fix .
	@$(RUN) -m ruff format .

types: setup ## Check the types of the public API with mypy, which pip install mypy brings
	@$(RUN) -m mypy --version > /dev/null || { echo 'Install it first: $(RUN) -m pip install mypy'; exit 1; }
	@$(RUN) -m mypy $(ARGS)

audit: setup ## Compare the pinned versions with published advisories; needs the network
	@$(RUN) -m pip_audit --version > /dev/null || \
		{ echo 'Install it first: $(RUN) -m pip install pip-audit'; exit 1; }
	@$(RUN) -m pip_audit --strict --no-deps --disable-pip -r requirements/pins.txt -r requirements/mminstall.txt $(ARGS)

licences: setup ## List the packages that rexdense needs, with their versions and licences
	@$(RUN) requirements/list_licences.py

wheel: setup ## Build a source distribution and a wheel into dist, without network
	@rm -rf build
	@$(RUN) -c 'from setuptools import build_meta as hooks; [build("dist") for build in (hooks.build_sdist, hooks.build_wheel)]'

docs: ## Build the documentation site into build/site; a broken link fails it
	@test -x .venv-docs/bin/mkdocs || { $(PYTHON) -m venv .venv-docs && \
		.venv-docs/bin/python -m pip install -r docs/site/requirements.txt; }
	@rm -rf build/site-source && mkdir -p build/site-source
	@cp -R README.md README.zh-CN.md CHANGELOG.md CONTRIBUTING.md SECURITY.md LICENSE docs configs build/site-source
	@.venv-docs/bin/python -m mkdocs build --strict $(ARGS)

image: ## Build a container image for CPUs, rexdense:cpu
	$(CONTAINER) build -f docker/cpu.Dockerfile -t rexdense:cpu $(ARGS) .

image-cuda: ## Build a container image for NVIDIA GPUs, rexdense:cuda
	$(CONTAINER) build -f docker/cuda.Dockerfile -t rexdense:cuda $(ARGS) .

clean: ## Delete caches and build leftovers; environments, data and work_dirs stay
	rm -rf build dist *.egg-info .pytest_cache .ruff_cache
	find . -path './.venv*' -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +

clean-environment: ## Delete the environment of STACK
	@test ! -e '$(VENV)' -o -f '$(VENV)/rexdense-setup.json' || \
		{ echo '$(VENV) was not made by make setup, so it is left alone.'; exit 1; }
	rm -rf '$(VENV)'
