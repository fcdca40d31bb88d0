# httptop: everything starts here. Each target does the set-up that it needs first.
#
#   make run                 start httptop on its built-in demo
#   make run ARGS="..."      start httptop with other arguments
#
# Set-up installs only what is missing and says so; a second run takes a second.

ARGS ?= --demo
# Passed to pytest by `make test`, e.g. make test T="-k parser -x".
T ?=
# Where `make install` puts httptop, and the link to it.
PREFIX ?= /opt/httptop
BINDIR ?= /usr/local/bin

.DEFAULT_GOAL := help
.PHONY: help run install uninstall test test-saturation test-fuzz test-recording test-soak test-kernels setup test-zoo test-receivers test-suites test-browser check bench docs-pictures clean

help:
	@echo 'make run            set up, then httptop on its demo (ARGS="..." replaces --demo)'
	@echo 'make install        root: a copy of root'"'"'s in PREFIX (/opt/httptop), so that `sudo httptop` works'
	@echo 'make uninstall      root: take it away'
	@echo 'make test           set up, then every test that can run here (T="..." goes to pytest)'
	@echo 'make test-saturation  nginx and pipelines of new paths, beside processes that take every CPU'
	@echo 'make test-fuzz      a thousand examples of each property, mutated heads, damaged captures, random calls on sockets'
	@echo 'make test-recording ten minutes of the demo recorded: do replay and reports tell what was?'
	@echo 'make test-soak      half an hour of connections that come and go; memory and maps'
	@echo 'make test-kernels   boot older and newer Linux kernels, and see that httptop counts right there'
	@echo 'make test-zoo       install real servers and clients of every kind, compare with their logs'
	@echo 'make test-receivers  what outputs send, to the distribution'"'"'s Prometheus, rsyslog and logrotate'
	@echo 'make test-suites    the test suites of a dozen HTTP parsers, played to real servers and clients'
	@echo 'make test-browser   open reports in Chromium, and archives in what reads them'
	@echo 'make setup          distribution packages, .venv and the package, nothing else'
	@echo 'make check          format, lint, types, shell scripts, spelling, import rules'
	@echo 'make bench          measure overhead and exactness; prints a table, writes JSON'
	@echo 'make docs-pictures  pictures and tables of the docs, from the pictures of the tests and the code'
	@echo 'make clean          remove .venv, what zoo and test-kernels keep, and caches (packages stay)'

run:
	@scripts/setup run
	@scripts/run $(ARGS)

install uninstall:
	@PREFIX='$(PREFIX)' BINDIR='$(BINDIR)' scripts/install $@

test:
	@scripts/setup test
	@scripts/test $(T)

test-saturation:
	@scripts/setup test
	@scripts/as-root .venv/bin/python -m tests.stress.saturation

test-fuzz:
	@scripts/setup test
	@scripts/test -m hypothesis --hypothesis-profile=thorough
	@scripts/as-root .venv/bin/python -m tests.stress.fuzz.heads
	@.venv/bin/python -m tests.stress.fuzz.captures 100000
	@scripts/as-root .venv/bin/python -m tests.stress.fuzz.sockets

test-recording:
	@scripts/setup test
	@scripts/as-root .venv/bin/python -m tests.stress.recording $(if $(filter command line,$(origin ARGS)),$(ARGS))

test-soak:
	@scripts/setup test
	@scripts/as-root .venv/bin/python -m tests.stress.soak

test-kernels:
	@scripts/setup test
	@scripts/as-root .venv/bin/python -m tests.kernels $(if $(filter command line,$(origin ARGS)),$(ARGS))

test-receivers:
	@scripts/setup test
	@scripts/receivers-setup
	@scripts/test -m receivers tests/receivers $(T)

test-zoo:
	@scripts/setup test
	@scripts/zoo-setup
	@scripts/test -m zoo tests/zoo $(T)
	@echo 'The table: .venv/bin/python -m tests.zoo.report'

test-suites:
	@scripts/setup test
	@scripts/zoo-setup
	@scripts/as-root .venv/bin/python -m tests.suites $(if $(filter command line,$(origin ARGS)),$(ARGS))

test-browser:
	@scripts/setup test
	@scripts/browser-setup
	@scripts/test -m browser tests/browser $(T)

setup:
	@scripts/setup run

check:
	@scripts/setup test
	@scripts/check

bench:
	@scripts/setup test
	@scripts/as-root .venv/bin/python -m bench $(if $(filter command line,$(origin ARGS)),$(ARGS))

docs-pictures:
	@scripts/setup test
	@scripts/test tests/snapshots/test_pictures.py -q
	@.venv/bin/python -m tests.snapshots.docs_pictures
	@.venv/bin/python -m tests.screens.docs_tables

clean:
	@[ ! -e .kernels ] || scripts/as-root rm -rf .kernels
	rm -rf .venv .venv-zoo .zoo .browser .pytest_cache .mypy_cache .ruff_cache .hypothesis snapshot_report.html
	find httptop tests bench -name __pycache__ -type d -prune -exec rm -rf {} +
