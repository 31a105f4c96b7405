# make demo and make test set up all that they need in a folder of their own, once. See make help.

PYTHON ?= python3
STACK ?= default
TORCH ?=

STACKS := default original
ifeq ($(filter $(STACK),$(STACKS)),)
$(error STACK=$(STACK) is not known; choose one of: $(STACKS))
endif

VENV ?= $(if $(filter original,$(STACK)),.venv-original,.venv)
RUN := $(VENV)/bin/python
# A process a core, each with one thread: torch's own threads would wait for one another.
PYTEST := OMP_NUM_THREADS=1 OMP_WAIT_POLICY=passive $(RUN) -m pytest -n logical --dist loadfile

.DEFAULT_GOAL := help
.PHONY: help setup demo mask-demo unet-demo pretrain-demo bench-guard test test-fast lint format clean clean-environment

help: ## Show this list
	@sed -nE 's/^([a-z-]+):.*## (.*)/  make \1|\2/p' Makefile | column -t -s '|'
	@echo
	@echo '  PYTHON=python3.12        interpreter to build the environment with, 3.10 to 3.13'
	@echo '  STACK=original           the original OpenMMLab line, in .venv-original'
	@echo '  VENV=/folder             another place for the environment'
	@echo "  TORCH='torch==2.13.0+cu130'  another torch than the pinned one"
	@echo '  MAX_JOBS=1               compilers at once, where memory is short'
	@echo "  ARGS='...'               passed on to the demos or to pytest"

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

clean: ## Delete caches and build leftovers; environments, data and work_dirs stay
	rm -rf build dist *.egg-info .pytest_cache .ruff_cache
	find . -path './.venv*' -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +

clean-environment: ## Delete the environment of STACK
	@test ! -e '$(VENV)' -o -f '$(VENV)/rexdense-setup.json' || \
		{ echo '$(VENV) was not made by make setup, so it is left alone.'; exit 1; }
	rm -rf '$(VENV)'
