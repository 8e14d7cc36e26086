# Every target brings what it needs: Debian's packages as root or by sudo, the rest from
# PyPI into .venv.

PYTHON ?= python3
VENV := .venv
PACKAGES := snmpd snmp snmptrapd iproute2 util-linux python3-venv
export PATH := $(PATH):/usr/sbin:/sbin

.PHONY: help demo test bench lint fuzz soak packages clean

help:
	@echo "make demo         the agent on an embedded VPP, asked by real walks (KEEP=1: stays up)"
	@echo "make test         linter, type checker, all tests"
	@echo "make bench        what it costs, beside other agents (QUICK=1: within three minutes)"
	@echo "make fuzz         hostile bytes from every side (QUICK=1: some; SEED=...)"
	@echo "make soak         everything fails, somebody watches (QUICK=1: two minutes; SEED=...)"
	@echo "make clean        remove what the others made"

demo: packages $(VENV)/ready
	@$(VENV)/bin/python -m vpp_snmp_agent.simulator.demo $(if $(KEEP),--keep)

bench: packages $(VENV)/ready
	@$(VENV)/bin/python -m bench $(if $(QUICK),--quick)

test: lint
	$(VENV)/bin/python -m pytest

lint: packages $(VENV)/ready
	$(VENV)/bin/ruff check
	$(VENV)/bin/ruff format --check
	$(VENV)/bin/mypy

fuzz: packages $(VENV)/ready
	@$(VENV)/bin/python -m tests.fuzz $(if $(QUICK),--quick) $(if $(SEED),--seed $(SEED))

soak: packages $(VENV)/ready
	@$(VENV)/bin/python -m tests.soak $(if $(QUICK),--quick) $(if $(SEED),--seed $(SEED))

packages:
	@if command -v snmpd snmpbulkwalk snmptrapd ip unshare nsenter >/dev/null \
	    && $(PYTHON) -c 'import ensurepip' 2>/dev/null; then exit 0; fi; \
	if [ "$$(id -u)" = 0 ]; then as_root=; \
	elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then as_root=sudo; \
	else echo "Please have these installed: apt-get install $(PACKAGES)" >&2; exit 1; fi; \
	$$as_root apt-get update -qq \
	    && $$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y $(PACKAGES)

$(VENV)/ready: setup.py pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check --editable '.[test]'
	@touch $@

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
