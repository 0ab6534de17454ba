# SPDX-License-Identifier: Apache-2.0
# A small front of Meson and Ninja. `make help` lists the targets.
BUILD ?= build
PREFIX ?= /usr/local

.PHONY: all help clean install
all: $(BUILD)/build.ninja   ## build the program and the examples
	@ninja -C $(BUILD) --quiet

$(BUILD)/build.ninja: | bootstrapped
	@meson setup $(BUILD) --prefix $(PREFIX) >/dev/null

.PHONY: bootstrapped
bootstrapped:
	@./bootstrap --check 2>/dev/null || ./bootstrap

help:                       ## this list
	@sed -n 's/^\([a-z-]*\):.*##/\1\t/p' $(MAKEFILE_LIST) | expand -t 16

clean:                      ## remove what was built
	rm -rf $(BUILD) build-*

install: all                ## install into PREFIX (/usr/local)
	@meson install -C $(BUILD)
