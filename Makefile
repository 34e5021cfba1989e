# procd: GNU make, not recursive. `make` in a fresh clone writes config.mk by itself.
#
#   make            build/procd                  make asan|tsan   sanitizer builds + tests
#   make check      unit and black-box tests     make fuzz        short fuzz run
#   make install    DESTDIR=... is honoured      make lint        cppcheck, mandoc, shellcheck
#   make dist       procd-VERSION.tar.xz         make coverage    build-cov + gcovr report
#
# Rooms are static libraries. A room's unit tests link that room and the rooms below it, nothing
# else: a call that climbs upward is a link error.

BUILD ?= build
-include config.mk

VERSION := $(shell cat VERSION)
CC ?= cc
CFLAGS ?= -O2 -g
WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Walloca -Wformat=2 \
	-Wcast-qual -Wundef -Wnull-dereference -Wimplicit-fallthrough -Wpointer-arith -Wwrite-strings
HARDEN ?= -fstack-protector-strong -fPIE -fno-omit-frame-pointer $(HARDEN_EXTRA)
ALL_CPPFLAGS = -D_GNU_SOURCE -Isrc -I$(BUILD) -I. $(DEP_CFLAGS) $(CPPFLAGS)
ALL_CFLAGS = -std=gnu11 $(WARN) $(WERROR) $(HARDEN) -pthread $(CFLAGS) $(SAN)
ALL_LDFLAGS = -pie -Wl,-z,relro -Wl,-z,now -Wl,--as-needed -pthread $(LDFLAGS) $(SAN)
DEP_LIBS ?= -lev -linih -ljansson -lurcu -lurcu-common
CHECK_LIBS ?= -lcheck_pic -lrt -lm -lsubunit
ALL_LIBS = $(DEP_LIBS) -lm $(LIBS)

# Rooms, from the ground up. below-ROOM: what it may call.
ROOMS := base config keeper event core output control command
below-base :=
below-config := base
below-keeper := base
below-event := base
below-core := config keeper event base
below-output := config event base
below-control := core output config keeper event base
below-command := control output core config keeper event base

src-of = $(wildcard src/$(1)/*.c)
obj-of = $(patsubst %.c,$(BUILD)/%.o,$(call src-of,$(1)))
lib-of = $(BUILD)/lib$(1).a

.DELETE_ON_ERROR:
.SECONDARY:
.PHONY: all clean check unit blackbox install uninstall dist asan tsan fuzz coverage lint headers bench

all: $(BUILD)/procd

config.mk: configure
	./configure $(CONFIGURE_FLAGS)

configure: configure.ac VERSION
	autoconf

$(BUILD)/%.o: %.c config.mk
	@mkdir -p $(@D)
	$(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

define room-rule
$(call lib-of,$(1)): $(call obj-of,$(1))
	@mkdir -p $$(@D)
	rm -f $$@ && $$(AR) crs $$@ $$^
endef
$(foreach r,$(ROOMS),$(eval $(call room-rule,$(r))))

$(BUILD)/procd: $(foreach r,command control output core event keeper config base,$(call lib-of,$(r)))
	$(CC) $(ALL_LDFLAGS) -o $@ -Wl,--whole-archive $(call lib-of,command) -Wl,--no-whole-archive \
		$(filter-out $(call lib-of,command),$^) $(ALL_LIBS)

# --- tests --------------------------------------------------------------------------------------

# tests/unit/ROOM_WHAT.c is a Check program for ROOM.
UNIT := $(patsubst tests/unit/%.c,$(BUILD)/tests/unit/%,$(wildcard tests/unit/*.c))
room-of-test = $(firstword $(subst _, ,$(notdir $(1))))
define unit-rule
$(1): $(1).o $(call lib-of,$(call room-of-test,$(1))) \
		$(foreach r,$(below-$(call room-of-test,$(1))),$(call lib-of,$(r)))
	$$(CC) $$(ALL_LDFLAGS) -o $$@ $$^ $$(CHECK_LIBS) $$(ALL_LIBS)
endef
$(foreach t,$(UNIT),$(eval $(call unit-rule,$(t))))

# Scripted child processes and benchmark floors: one C file each.
TOOLS := $(patsubst tests/%.c,$(BUILD)/tests/%,$(wildcard tests/tools/*.c tests/bench/*.c))
$(BUILD)/tests/tools/%: tests/tools/%.c config.mk
	@mkdir -p $(@D)
	$(CC) -D_GNU_SOURCE -std=gnu11 $(WARN) $(WERROR) $(CFLAGS) -o $@ $< -pthread
$(BUILD)/tests/bench/%: tests/bench/%.c $(foreach r,event base,$(call lib-of,$(r))) config.mk
	@mkdir -p $(@D)
	$(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $< \
		$(filter %.a,$^) $(ALL_LIBS)

unit: $(UNIT)
	tests/run-unit $(BUILD) $(UNIT)

blackbox: $(BUILD)/procd $(TOOLS)
	tests/run-blackbox $(BUILD)

check: headers unit blackbox

# Each header compiles alone.
headers: $(patsubst %.h,$(BUILD)/%.h.ok,$(wildcard src/*/*.h))
$(BUILD)/%.h.ok: %.h config.mk
	@mkdir -p $(@D)
	@$(CC) $(ALL_CPPFLAGS) -std=gnu11 $(WARN) $(WERROR) -fsyntax-only -x c $<
	@touch $@

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
