# What a person types. `make help` lists it; a fresh machine needs only Go, Python and root.
.NOTPARALLEL: # with -j too a target's own order holds: set-up first, then what needs it
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# Where Debian and Go's own archive put programs that a bare PATH lacks.
export PATH := $(PATH):/usr/local/go/bin:/usr/local/sbin:/usr/sbin:/sbin
export PIP_DISABLE_PIP_VERSION_CHECK := 1

PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin
INSTALLED := $(VENV)/installed
CODE := src testbed tests fuzz $(wildcard bench)
WORKERS ?= 6
SECONDS ?= 60 # of fuzzing, for each target
# Slow tests stand side by side: who has none left takes from the others.
SPREAD := -n $(WORKERS) --dist worksteal
TIMES := .cache/times

# $(call step,name,command): runs the command, and notes how long it took.
define step
	@echo "== $(1)"; SECONDS=0; { $(2); } || exit 1; echo "$$SECONDS s $(1)" >> $(TIMES)
endef

# $(call install,packages): installs Debian packages, or says who can.
define install
	if [ "$$(id -u)" != 0 ] || ! command -v apt-get > /dev/null; then \
	  echo "Missing: $(1). As root, on Debian: apt-get install $(1)" >&2; exit 1; \
	fi; \
	echo "Installing Debian packages: $(1)"; \
	export DEBIAN_FRONTEND=noninteractive; \
	apt-get -qq update; \
	apt-get -qq install -y --no-remove --no-install-recommends $(1) > /dev/null
endef

.PHONY: help demo test fuzz check setup packages programs cluster bench static fast-tests all-tests times

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "%-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: setup ## show a set grow on a real cluster (12 to 18 minutes the first time, then seconds)
	@$(RUN)/python -m testbed.demo

test: setup times static all-tests ## all checks and tests (an hour the first time, then 25 minutes on two cores)
	@echo "== times"; cat $(TIMES)

check: $(INSTALLED) times static fast-tests ## checks and tests that need no cluster (1 minute)
	@echo "== times"; cat $(TIMES)

setup: packages $(INSTALLED) programs ## install and build whatever is missing

cluster: setup ## bring up a cluster with a real node and print its kubeconfig
	@$(RUN)/python -m testbed up --node --fake-nodes 1
	@echo "Use it: export KUBECONFIG=<the line above>. End it: $(RUN)/python -m testbed down"

bench: ## measure; the figures are printed as JSON, and nothing else on stdout
	@$(MAKE) setup >&2
	@$(RUN)/python -m bench

fuzz: $(INSTALLED) ## look for inputs that break a promise (a minute for each target; SECONDS=360 for more)
	@$(RUN)/python -m fuzz run --seconds $(SECONDS)

packages:
	@missing="$$($(PYTHON) -m testbed missing-packages)"; \
	if [ -n "$$missing" ]; then $(call install,$$missing); fi

# Only this much may `make check` ask of a machine: it needs no cluster.
$(INSTALLED): requirements/dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed")'
	@$(PYTHON) -c 'import ensurepip, venv' 2> /dev/null || { $(call install,python3-venv); }
	@echo "Installing Python packages into $(VENV): about a minute."
	@[ -x $(RUN)/pip ] || $(PYTHON) -m venv $(VENV)
	@$(RUN)/pip install --quiet --require-hashes -r requirements/dev.txt
	@$(RUN)/pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

programs: $(INSTALLED)
	@$(RUN)/python -m testbed build

times:
	@mkdir -p $(dir $(TIMES)); : > $(TIMES)

static:
	$(call step,ruff,$(RUN)/ruff check $(CODE) && $(RUN)/ruff format --check $(CODE))
	$(call step,mypy,$(RUN)/mypy --explicit-package-bases $(CODE))
	$(call step,import-linter,$(RUN)/lint-imports --no-cache)
	$(call step,codespell,$(RUN)/codespell $$(git ls-files '*.py' '*.md' '*.yaml' '*.go' Makefile))

fast-tests:
	$(call step,tests without a cluster,$(RUN)/pytest -q $(SPREAD) -m "not cluster and not node and not fuzz")

# 100 % of the branches that decide, 90 % elsewhere; programs that tests start count too.
all-tests:
	@$(RUN)/coverage erase
	$(call step,all tests,$(RUN)/coverage run -m pytest -q $(SPREAD) --durations=10)
	@$(RUN)/coverage combine --quiet
	$(call step,coverage of core,$(RUN)/coverage report --include='src/rso/core/*' --fail-under=100 --skip-covered)
	$(call step,coverage elsewhere,$(RUN)/coverage report --omit='src/rso/core/*' --fail-under=90 --skip-covered)
