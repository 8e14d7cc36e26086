# Every target brings what it needs: Debian's packages as root or by sudo, the rest from
# PyPI into .venv.

PYTHON ?= python3
VENV := .venv
PACKAGES := snmpd snmp snmptrapd iproute2 util-linux python3-venv
VERSION := $(shell sed -n 's/^__version__ = "\(.*\)"/\1/p' vpp_snmp_agent/__init__.py)
# Where the texts of the standard MIBs are kept, which Debian does not have: for smilint.
MIBS := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/vpp-snmp-agent/mibs
MIBS_FROM := net-snmp@3.29.2
# What the package runs: Debian's own Python, where that can run us.  PYTHON= chooses another.
CAN_RUN_US := -c 'import ensurepip, sys; sys.exit(sys.version_info < (3, 10))'
BENCH_PYTHON = $(if $(filter file,$(origin PYTHON)),$(shell /usr/bin/python3 $(CAN_RUN_US) \
    2>/dev/null && echo /usr/bin/python3 || echo $(PYTHON)),$(PYTHON))
BENCH_VENV = build/bench$(subst /,-,$(abspath $(shell command -v $(BENCH_PYTHON))))
DEB := dist/vpp-snmp-agent_$(VERSION)_all.deb
SDIST := dist/vpp_snmp_agent-$(VERSION).tar.gz
WHEEL := dist/vpp_snmp_agent-$(VERSION)-py3-none-any.whl
# By `python -m`: the checkout may have spaces in its path, which a script's first line may not.
PIP = $(VENV)/bin/python -m pip --quiet --disable-pip-version-check
PINNED = --constraint tests/constraints.txt
export PATH := $(PATH):/usr/sbin:/sbin

.PHONY: help demo quick test bench scale lint fuzz soak mutants mibs managers-test
.PHONY: deb deb-test dist dist-test
.PHONY: packages mibs-packages deb-packages deb-test-packages clean

help:
	@echo "make demo         the agent on an embedded VPP, asked by real walks (KEEP=1: stays up)"
	@echo "make quick        the tests that start no process: some 35 s of CPU, without root and snmpd"
	@echo "make test         linter, type checker, all tests (make lint: the first two)"
	@echo "make mutants      do the tests notice changes of what decides (MODULES=\"interfaces/facts\")"
	@echo "make bench        what it costs, beside other agents (QUICK=1: two minutes; PYTHON=...)"
	@echo "make scale        10,000 interfaces, 200,000 neighbours, churn (QUICK=1: three minutes)"
	@echo "make fuzz         hostile bytes from every side (QUICK=1: some; SEED=...)"
	@echo "make soak         everything fails, somebody watches (QUICK=1: two minutes; SEED=...)"
	@echo "make mibs         the standard MIBs that our own imports, for its test"
	@echo "make managers-test root: what is shipped for managers, with Debian's (UPDATE=1: generates)"
	@echo "make deb          $(DEB)"
	@echo "make deb-test     root: it on a clean Debian 12 with systemd, and on 13 (SHORT=1: not booted)"
	@echo "make dist         sdist and wheel of $(VERSION)"
	@echo "make dist-test    they in each Python that is found (UNIT=1: and the unit tests)"
	@echo "make clean        remove what the others made"

demo: packages $(VENV)/ready
	@$(VENV)/bin/python -m simulator.demo $(if $(KEEP),--keep)

# By a make of its own: which Python there is shows once the packages are there.
bench: packages
	@$(MAKE) --no-print-directory VENV=$(BENCH_VENV) PYTHON=$(BENCH_PYTHON) $(BENCH_VENV)/ready
	@$(BENCH_VENV)/bin/python -m bench $(if $(QUICK),--quick)

scale: packages $(VENV)/ready
	@$(VENV)/bin/python -m bench.scale $(if $(QUICK),--quick) $(if $(CI),--ci)

quick: $(VENV)/ready
	$(VENV)/bin/python -m pytest -q --quick

test: lint
	$(VENV)/bin/python -m pytest

lint: packages $(VENV)/ready
	$(VENV)/bin/ruff check
	$(VENV)/bin/ruff format --check
	$(VENV)/bin/python -m mypy

fuzz: packages $(VENV)/ready
	@$(VENV)/bin/python -m tests.fuzz $(if $(QUICK),--quick) $(if $(SEED),--seed $(SEED))

soak: packages $(VENV)/ready
	@$(VENV)/bin/python -m tests.soak $(if $(QUICK),--quick) $(if $(SEED),--seed $(SEED))

mutants: $(VENV)/ready
	@$(VENV)/bin/python -m tests.mutants $(MODULES)

mibs: mibs-packages $(MIBS)/SNMPv2-SMI.mib

$(MIBS)/SNMPv2-SMI.mib:
	mkdir -p $(MIBS)
	cd $(MIBS) && npm pack --silent $(MIBS_FROM) \
	    && tar -xzf net-snmp-*.tgz --strip-components=3 package/lib/mibs && rm net-snmp-*.tgz

# Packages that are not there are unpacked into a directory for the time, and not installed.
managers-test: packages mibs $(VENV)/ready
	@$(VENV)/bin/python -m tests.managers --mibs $(MIBS) $(if $(UPDATE),--update)

# In a copy, because the packager leaves its files among the sources, and where no path has spaces,
# of which debhelper knows nothing.
deb: deb-packages $(VENV)/ready
	mkdir -p dist
	place=$$(mktemp -d) && trap 'rm -rf "$$place"' EXIT && mkdir "$$place/source" \
	    && cp -a debian docs vpp_snmp_agent snmpd-dataplane.conf README.md CHANGELOG.md "$$place/source/" \
	    && $(PIP) install --no-compile --no-deps --only-binary :all: --require-hashes \
	        --target "$$place/source/private" -r debian/private.txt \
	    && (cd "$$place/source" && dpkg-buildpackage --build=binary --no-sign) \
	    && mv "$$place/vpp-snmp-agent_$(VERSION)_all.deb" $(DEB)
	lintian --fail-on error,warning,override $(DEB)

deb-test: deb deb-test-packages
	$(VENV)/bin/python -m tests.deb $(if $(SHORT),--short) $(DEB)

# In a copy, because setuptools leaves its files among the sources too.
dist: packages $(VENV)/ready
	$(PIP) install $(PINNED) build twine
	rm -rf build/dist $(SDIST) $(WHEEL)
	mkdir -p build/dist dist
	cp -a .ci .github bench debian docs simulator tests vpp_snmp_agent CHANGELOG.md CONTRIBUTING.md \
	    LICENSE MANIFEST.in Makefile README.md pyproject.toml setup.py snmpd-dataplane.conf build/dist/
	$(VENV)/bin/python -m build --no-isolation --outdir dist build/dist >build/dist.log
	$(VENV)/bin/python -m twine check --strict $(SDIST) $(WHEEL)

dist-test: dist
	$(VENV)/bin/python -m tests.dist $(if $(UNIT),--unit) $(SDIST) $(WHEEL)

# $(call bring,PACKAGES,COMMANDS): have Debian's packages installed, if a command is not there.
bring = @if (for each in $(2); do command -v $$each || exit 1; done) >/dev/null \
	    && $(PYTHON) -c 'import ensurepip' 2>/dev/null; then exit 0; fi; \
	if [ "$$(id -u)" = 0 ]; then as_root=; \
	elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then as_root=sudo; \
	else echo "Please have these installed: apt-get install $(1)" >&2; exit 1; fi; \
	$$as_root apt-get update -qq \
	    && $$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y $(1)

packages:
	$(call bring,$(PACKAGES),snmpd snmpbulkwalk snmptrapd ip unshare nsenter)

deb-packages: packages
	$(call bring,debhelper dh-python dpkg-dev lintian,dh dh_python3 dpkg-buildpackage lintian)

mibs-packages:
	$(call bring,smitools npm,smilint npm)

deb-test-packages:
	$(call bring,debootstrap systemd-container,debootstrap systemd-nspawn)

$(VENV)/ready: setup.py pyproject.toml tests/constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) install $(PINNED) setuptools
	$(PIP) install $(PINNED) --no-build-isolation --editable '.[test]'
	@touch $@

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
