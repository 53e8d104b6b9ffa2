# `make` alone prints the targets.
PYTHON ?= $(shell command -v /usr/bin/python3.11 || command -v python3.11 || command -v python3)
PORT ?= 8080
VENV := .venv
BIN := $(VENV)/bin

.PHONY: help
help:
	@echo "make serve [PORT=8080]   set up and run the gateway"
	@echo "make test                set up and run every test"
	@echo "make check               format, lints, types, layout"
	@echo "make bench               build for release, measure, rewrite benches/README.md"
	@echo "make clean               remove what was built"
