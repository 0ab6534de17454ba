# SPDX-License-Identifier: Apache-2.0
# A small front of Meson and Ninja. `make help` lists the targets.
BUILD ?= build
PREFIX ?= /usr/local
SECONDS ?=
SETUP ?= -Doptimization=2 -Ddebug=false

.PHONY: all demo test test-long bench bench-schema fuzz install clean help
all: $(BUILD)/build.ninja       ## build the program and the examples
	@ninja -C $(BUILD) --quiet

$(BUILD)/build.ninja:
	@./bootstrap --check build run 2>/dev/null || ./bootstrap build run
	@meson setup $(BUILD) --prefix $(PREFIX) $(SETUP) >/dev/null

demo: all                       ## the hiring platform's communications move, live (SEED=, RATE=, SECONDS=, RECOGNISES=none, KEEP=1)
	@examples/hiring/demo --build $(BUILD) $(if $(SEED),--seed $(SEED)) $(if $(RATE),--rate $(RATE)) \
	    $(if $(SECONDS),--seconds $(SECONDS)) $(if $(KEEP),--keep) $(if $(RECOGNISES),--recognises $(RECOGNISES))

test:                           ## all tests, with the address and undefined-behaviour sanitizers
	@tools/test

test-long:                      ## the same with the thread sanitizer, more seeds and larger models
	@tools/test --long

fuzz:                           ## each parser under libFuzzer (SECONDS=60 each)
	@tools/fuzz $(SECONDS)

bench: all                      ## measure against nginx and redis (NAMES="proxy publish convert memory switch", FULL=1)
	@./bootstrap --check bench || ./bootstrap bench
	@bench/run --build $(BUILD) $(NAMES)

bench-schema: all               ## the schema engine against ajv, @sourcemeta/jsonschema and simdjson (NAMES="geojson deep", SHARE=0.1)
	@./bootstrap --check bench || ./bootstrap bench
	@bench/schema/run --build $(BUILD) $(if $(SHARE),--share $(SHARE)) $(NAMES)

install: all                    ## install into PREFIX (/usr/local)
	@meson install -C $(BUILD)

clean:                          ## remove what was built
	rm -rf build build-*

help:                           ## this list
	@sed -n 's/^\([a-z-]*\):.*##/\1\t/p' $(MAKEFILE_LIST) | expand -t 14
