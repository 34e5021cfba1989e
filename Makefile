# procd: GNU make, not recursive. `make` in a fresh clone writes config.mk by itself.
#
#   make            build/procd                  make asan|tsan   sanitizer builds + tests
#   make check      unit and black-box tests     make fuzz        short fuzz run
#   make install    DESTDIR=... is honoured      make lint        cppcheck, mandoc, shellcheck
#   make dist       procd-VERSION.tar.xz         make coverage    report in build-cov/
#   make bench      beside other supervisors      make distcheck   dist, then build and test it
#   make faults     every system call of the core flows fails once (strace; about ten minutes)
#   make deb        a Debian package in build-deb/; make deb-check installs, upgrades, removes it
#   make release-check   lint, check, distcheck, deb, deb-check, and one version everywhere
#   make matrix     builds with no feature and with all, and a few tests of each
#   make variant    VARIANT=minimal or full (or a name and VARIANT_FLAGS): other features
#
# Rooms are static libraries. A room's unit tests link that room and the rooms below it, nothing
# else: a call that climbs upward is a link error.

BUILD ?= build
# Where ./configure writes: here, or in a directory of its own for another choice of features.
CONFIG ?= .
CONFIG_MK := $(CONFIG)/config.mk
-include $(CONFIG_MK)

# A line per file; V=1 shows the commands.
Q := $(if $(V),,@)
say = $(if $(V),@:,@printf '  %-5s %s\n' $(1) $(patsubst $(BUILD)/%,%,$(2)))

VERSION := $(shell cat VERSION)
CC ?= cc
CFLAGS ?= -O2 -g
WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Walloca -Wformat=2 \
	-Wcast-qual -Wundef -Wnull-dereference -Wimplicit-fallthrough -Wpointer-arith -Wwrite-strings
# Fortified string functions hide what a sanitizer would see, and need an optimizer.
FORTIFY = $(if $(SAN)$(filter -O0,$(CFLAGS)),,-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2)
HARDEN ?= -fstack-protector-strong -fPIE -fno-omit-frame-pointer $(HARDEN_EXTRA)
ALL_CPPFLAGS = -D_GNU_SOURCE -Isrc -I$(BUILD) -I$(CONFIG) -I. $(DEP_CFLAGS) $(FORTIFY) $(CPPFLAGS)
ALL_CFLAGS = -std=gnu11 $(WARN) $(WERROR) $(HARDEN) -pthread $(CFLAGS) $(SAN)
ALL_LDFLAGS = -pie -Wl,-z,relro -Wl,-z,now -Wl,--as-needed -pthread $(LDFLAGS) $(SAN)
DEP_LIBS ?= -lev -linih -ljansson -lurcu -lurcu-common
CHECK_LIBS ?= -lcheck_pic -lrt -lm -lsubunit
ALL_LIBS = $(DEP_LIBS) -lm $(LIBS)

# Rooms, from the ground up. below-ROOM: what it may call.
ROOMS := base config keeper event probe core output metrics profile control console \
	$(if $(WITH_HTTP),http) import simulate command
below-base :=
below-config := base
below-keeper := base
below-event := base
below-probe := base
below-core := config keeper event base
below-output := config keeper event base
below-profile := config keeper event base
below-metrics := config keeper event base
below-control := core output metrics profile config keeper event base
below-console := base
below-import := config base
below-simulate := core config keeper event base
below-http := base
below-command := simulate import $(if $(WITH_HTTP),http) console control output metrics profile core config keeper event probe base

# What hangs on a feature without being a room of its own: left out where the feature is off.
# A room is left out by taking it out of ROOMS and of the below- lists; its tests go with it.
files-METRICS := src/metrics/scrape.c
files-LOCKFREE_COORDINATION := src/event/channel_lockfree.c
files-CONSOLE := $(wildcard src/command/verbs_top.c src/command/top_*.c) \
	$(foreach f,rows frame pager screen screen_curses screen_plain,src/console/$(f).c) \
	$(foreach t,rows frame pager,tests/unit/console_$(t).c) tests/fuzz/fuzz_console_frame.c
files-HTTP := src/command/verbs_http.c
files-HIGH_RES_TIMING := src/base/clock_tsc.c tests/unit/base_clock_tsc.c
files-MMAP_CONFIG := src/config/map_file.c tests/unit/config_map_file.c
files-PROFILING := $(wildcard src/profile/cpu_*.c src/command/profile_cpu.c src/command/profiler.c \
	tests/unit/profile_cpu_*.c tests/fuzz/fuzz_profile_cpu_*.c)
files-HEAP_PROFILING := $(wildcard src/profile/heap_*.c src/command/profile_heap.c \
	src/control/heap_methods.c tests/unit/profile_heap_*.c tests/fuzz/fuzz_profile_heap_*.c)
files-IMPORT_YAML := tests/fuzz/fuzz_import_compose.c
left-out := $(foreach f,$(FEATURES),$(if $(WITH_$(f)),,$(files-$(f))))

src-of = $(filter-out $(left-out),$(wildcard src/$(1)/*.c))
obj-of = $(patsubst %.c,$(BUILD)/%.o,$(call src-of,$(1)))
lib-of = $(BUILD)/lib$(1).a

.DELETE_ON_ERROR:
.SECONDARY:
.PHONY: all clean distclean check unit tools blackbox install uninstall dist distcheck asan tsan \
	fuzz fuzz-programs corpus coverage lint headers bench bench-deps bench-doc sample faults \
	variant smoke matrix deb deb-check release-check

HEAP_OBJECT := $(BUILD)/libprocd-heap.so
all: $(BUILD)/procd $(if $(WITH_HEAP_PROFILING),$(HEAP_OBJECT))

# A change of the options asks again with the answers given before.
$(CONFIG_MK): configure config.mk.in config.h.in
	@mkdir -p $(CONFIG)
	cd $(CONFIG) && if [ -n '$(CONFIGURE_FLAGS)' ] || [ ! -x config.status ]; then \
		$(CURDIR)/configure $(CONFIGURE_FLAGS); \
		else ./config.status --recheck && ./config.status; fi

$(CONFIG)/config.h: $(CONFIG_MK)
	@test -f $@ || (cd $(CONFIG) && ./config.status config.h)

configure: configure.ac VERSION
	autoconf

# An object is as old as the moment in which its sources began to be read: a header that is changed
# while it is made is newer, and the next make sees that.
begin = $(Q)touch $@.begun
begun = && touch -r $@.begun $@ && rm -f $@.begun

$(BUILD)/%.o: %.c $(CONFIG_MK)
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(begin)
	$(Q)$(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) -MMD -MP -c -o $@ $< $(begun)

# Only its types are needed: the library itself is loaded by the program, when a screen is wanted.
$(BUILD)/src/console/screen_curses.o: ALL_CPPFLAGS += $(NCURSES_CFLAGS)
$(BUILD)/src/import/tree_yaml.o: ALL_CPPFLAGS += $(YAML_CFLAGS)
$(BUILD)/src/http/%: ALL_CPPFLAGS += $(MICROHTTPD_CFLAGS)

define room-rule
$(call lib-of,$(1)): $(call obj-of,$(1))
	@mkdir -p $$(@D)
	$$(call say,AR,$$@)
	$$(Q)rm -f $$@ && $$(AR) crs $$@ $$^
endef
$(foreach r,$(ROOMS),$(eval $(call room-rule,$(r))))

$(BUILD)/procd: $(foreach r,command simulate import $(if $(WITH_HTTP),http) console control output metrics profile core probe event keeper config base,$(call lib-of,$(r)))
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ -Wl,--whole-archive $(call lib-of,command) -Wl,--no-whole-archive \
		$(WRAPPERS) $(filter-out $(call lib-of,command) $(WRAPPERS),$^) \
		$(if $(SAN),$(DEP_LIBS),$(PROGRAM_LIBS)) -lm $(LIBS)

# The heap profiler's preload object: libc only, and never with a sanitizer, as what it is loaded into.
# Its malloc stands in front of procd's own, too, so that procd can profile itself; a sanitizer has
# one of its own.
HEAP_SOURCES := $(addprefix src/profile/heap_,record.c stack.c unwind.c dhat.c symbols.c elf.c) \
	$(wildcard src/profile/preload/*.c)
HEAP_EXPORTS := src/profile/preload/exports.map
# A call of free() is one of whoever stands in front: clang would take that to be the object itself.
HEAP_CFLAGS = -std=gnu11 $(WARN) $(WERROR) -fPIC -fsemantic-interposition -fno-omit-frame-pointer \
	-fno-builtin -pthread $(CFLAGS)
WRAPPERS := $(if $(WITH_HEAP_PROFILING),$(if $(SAN),,$(BUILD)/src/profile/preload/wrap.o))
$(BUILD)/procd: $(WRAPPERS)
$(BUILD)/src/profile/preload/wrap.o: private HARDEN += -fno-builtin
$(BUILD)/preload/%.o: src/profile/%.c $(CONFIG_MK)
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(begin)
	$(Q)$(CC) -D_GNU_SOURCE -Isrc $(CPPFLAGS) $(HEAP_CFLAGS) -MMD -MP -c -o $@ $< $(begun)
$(HEAP_OBJECT): $(HEAP_SOURCES:src/profile/%.c=$(BUILD)/preload/%.o) $(HEAP_EXPORTS)
	$(call say,LD,$@)
	$(Q)$(CC) $(HEAP_CFLAGS) -shared -o $@ $(filter %.o,$^) $(LDFLAGS) -Wl,--version-script=$(HEAP_EXPORTS) \
		-Wl,--no-undefined,-z,relro,-z,now,--as-needed

# --- tests --------------------------------------------------------------------------------------

# tests/unit/ROOM_WHAT.c is a Check program for ROOM; UNIT_ROOMS are those to be built and run.
UNIT_ROOMS ?= $(ROOMS)
UNIT := $(patsubst tests/unit/%.c,$(BUILD)/tests/unit/%,$(filter-out $(left-out), \
	$(foreach r,$(UNIT_ROOMS),$(wildcard tests/unit/$(r)_*.c))))
room-of-test = $(firstword $(subst _, ,$(notdir $(1))))
define unit-rule
$(1): $(1).o $(call lib-of,$(call room-of-test,$(1))) \
		$(foreach r,$(below-$(call room-of-test,$(1))),$(call lib-of,$(r)))
	$$(call say,LD,$$@)
	$$(Q)$$(CC) $$(ALL_LDFLAGS) -o $$@ $$^ $$(CHECK_LIBS) $$(ALL_LIBS)
endef
$(foreach t,$(UNIT),$(eval $(call unit-rule,$(t))))

# Scripted child processes and benchmark floors: one C file each. The tools are what procd
# supervises: never built with sanitizers.
TOOLS := $(patsubst tests/%.c,$(BUILD)/tests/%,$(wildcard tests/tools/*.c))
BENCH := $(patsubst tests/%.c,$(BUILD)/tests/%,$(wildcard tests/bench/*.c))
# What brings or counts an allocator must not have its calls understood by the compiler.
TOOL_FRAMES = $(if $(filter %_bare,$@),-fomit-frame-pointer,-fno-omit-frame-pointer) \
	$(if $(filter %/heap %/ownmalloc,$@),-fno-builtin)
$(BUILD)/tests/tools/%: tests/tools/%.c $(CONFIG_MK)
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) -D_GNU_SOURCE -std=gnu11 $(WARN) $(WERROR) $(CFLAGS) $(TOOL_FRAMES) -o $@ $< -pthread
# The floors, and what the contenders of a benchmark supervise. Static, where libc can be: what is
# compared is the start of processes, not of the dynamic linker.
BENCH_PROGRAMS := $(patsubst tests/%.c,$(BUILD)/tests/%,$(wildcard tests/bench/programs/*.c))
$(BUILD)/tests/bench/programs/%: tests/bench/programs/%.c tests/bench/programs/board.h $(CONFIG_MK)
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)set -- $(CC) -D_GNU_SOURCE -std=gnu11 $(WARN) $(WERROR) $(CFLAGS) -o $@ $<; \
		"$$@" -static 2>$@.static || "$$@"
$(BUILD)/tests/bench/%: tests/bench/%.c $(CONFIG_MK) \
		$(foreach r,output config keeper event base,$(call lib-of,$(r)))
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $< \
		$(filter %.a,$^) $(ALL_LIBS)

# tests/fuzz/fuzz_ROOM_WHAT.c, or fuzz_ROOM.c, is a libFuzzer target for ROOM. `make fuzz` builds the
# rooms with coverage feedback; `make check` links the same file with replay.c and runs the corpus
# through it.
FUZZ_SECONDS ?= 10
FUZZ := $(patsubst tests/fuzz/%.c,$(BUILD)/tests/fuzz/%,$(filter-out $(left-out), \
	$(foreach r,$(ROOMS),$(wildcard tests/fuzz/fuzz_$(r).c tests/fuzz/fuzz_$(r)_*.c))))
room-of-fuzz = $(word 2,$(subst _, ,$(notdir $(1))))
define fuzz-rule
$(1): $(1).o $(if $(FUZZ_ENGINE),,$(BUILD)/tests/fuzz/replay.o) \
		$(call lib-of,$(call room-of-fuzz,$(1))) \
		$(foreach r,$(below-$(call room-of-fuzz,$(1))),$(call lib-of,$(r)))
	$$(call say,LD,$$@)
	$$(Q)$$(CC) $$(ALL_LDFLAGS) $$(FUZZ_ENGINE) -o $$@ $$^ $$(ALL_LIBS)
endef
$(foreach t,$(FUZZ),$(eval $(call fuzz-rule,$(t))))

unit: $(UNIT)
	@tests/run-unit $(BUILD) $(UNIT)

# What tests/run-blackbox needs besides procd, when it is called by hand.
tools: $(TOOLS)

# BACKENDS="poll select" and CHAN=mutex: the same tests with other event loops, another channel.
blackbox: all $(TOOLS)
	@for b in $(or $(BACKENDS),default); do \
		tests/run-blackbox $(BUILD) $(BLACKBOX_FLAGS) $(if $(BACKENDS),--backend $$b) \
			$(if $(CHAN),--channel $(CHAN)) || exit 1; done

corpus: $(FUZZ)
	@for f in $(FUZZ); do n=$${f##*/fuzz_}; echo "$$f tests/fuzz/corpus/$$n"; \
		$$f tests/fuzz/corpus/$$n || exit 1; done

check: headers unit corpus blackbox $(BENCH) $(BENCH_PROGRAMS)

# Each header compiles alone.
headers: $(patsubst %.h,$(BUILD)/%.h.ok,$(filter-out $(if $(WITH_HTTP),,src/http/%), \
	$(wildcard src/*/*.h src/*/*/*.h)))
$(BUILD)/%.h.ok: %.h $(CONFIG_MK)
	@mkdir -p $(@D)
	@$(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) -Wno-unused-function -fsyntax-only -x c $<
	@touch $@

# --- manual and units -----------------------------------------------------------------------------

# Names without directory and ".in". The key tables of daemon.toml(5) come out of the option table;
# @bindir@ and @sysconfdir@ are filled in late, so that `make install prefix=...` is honoured.
MAN := $(patsubst man/%,%,$(wildcard man/*.[1-9]) $(patsubst %.in,%,$(wildcard man/*.in)))
UNITS := $(patsubst contrib/systemd/%.in,%,$(wildcard contrib/systemd/*.in))
USER_UNITS := $(patsubst contrib/systemd/%.in,%,$(wildcard contrib/systemd/user/*.in))
MAN_BUILT := $(MAN:%=$(BUILD)/man/%)
UNITS_BUILT := $(UNITS:%=$(BUILD)/systemd/%) $(USER_UNITS:%=$(BUILD)/systemd/%)
SUBSTITUTE = sed -e 's,@bindir@,$(bindir),g' -e 's,@sysconfdir@,$(sysconfdir),g' \
	-e 's,@docdir@,$(docdir),g' \
	-e 's,@VERSION@,$(VERSION),g'

$(BUILD)/man/%: man/%.in $(BUILD)/procd
	@mkdir -p $(@D)
	$(BUILD)/procd mdoc-keys > $@.keys
	$(SUBSTITUTE) -e '/^@KEYS@$$/{' -e 'r $@.keys' -e 'd' -e '}' $< > $@
$(BUILD)/man/%: man/% $(CONFIG_MK)
	@mkdir -p $(@D)
	$(SUBSTITUTE) $< > $@
$(BUILD)/systemd/%: contrib/systemd/%.in $(CONFIG_MK)
	@mkdir -p $(@D)
	$(SUBSTITUTE) $< > $@

# --- other builds, each in a directory of its own ------------------------------------------------

# The same sources with other features: build-VARIANT holds its configuration, too.
VARIANT ?= minimal
variant:
	$(MAKE) BUILD=$(BUILD)-$(VARIANT) CONFIG=$(BUILD)-$(VARIANT) \
		CONFIGURE_FLAGS="$(or $(VARIANT_FLAGS),--enable-$(VARIANT))" $(or $(GOALS),all)

# No feature (but the allocator that excludes one), and all of them: built, and looked at.
SMOKE ?= features errors lifecycle
smoke: all $(TOOLS)
	tests/run-blackbox $(BUILD) $(SMOKE) -q
matrix:
	$(MAKE) variant GOALS=smoke VARIANT=minimal VARIANT_FLAGS="--enable-minimal --with-mimalloc"
	$(MAKE) variant GOALS=smoke VARIANT=full

asan:
	$(MAKE) BUILD=$(BUILD)-asan CFLAGS="-O1 -g" \
		SAN="-fsanitize=address,undefined -fno-sanitize-recover=all" unit corpus blackbox

# gcc: clang's TSan cannot run the keeper's vfork. The black-box part is what involves threads; of the
# rooms, core (the main thread alone) and those of the client have no second one.
TSAN_BLACKBOX ?= events output reload death control
TSAN_ROOMS ?= $(filter-out core simulate import console,$(ROOMS))
tsan:
	$(MAKE) BUILD=$(BUILD)-tsan CFLAGS="-O1 -g" SAN="-fsanitize=thread" \
		UNIT_ROOMS="$(TSAN_ROOMS)" BLACKBOX_FLAGS="$(TSAN_BLACKBOX)" unit blackbox

fuzz:
	$(MAKE) BUILD=$(BUILD)-fuzz CC=clang CFLAGS="-O1 -g" FUZZ_ENGINE=-fsanitize=fuzzer \
		SAN="-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all" \
		fuzz-programs
	tests/run-fuzz $(BUILD)-fuzz $(FUZZ_SECONDS) $(notdir $(FUZZ))
fuzz-programs: $(FUZZ)

# FAULTS_FLAGS="--seconds 60" is a random sample; the name of a case runs only that.
faults: $(BUILD)/procd $(TOOLS)
	tests/run-faults $(BUILD) $(FAULTS_FLAGS)

coverage:
	$(MAKE) BUILD=$(BUILD)-cov CFLAGS="-O0 -g" SAN="--coverage" unit corpus blackbox
	tests/report-coverage $(BUILD)-cov

# WORKS="A B" SIZES="100 1000" ROUNDS=3 BENCH_FLAGS=--quick; with nothing given about eight minutes.
# The results are in $(BUILD)/bench.
bench: $(BUILD)/procd $(BENCH) $(BENCH_PROGRAMS)
	tests/bench/run $(BUILD) --works "$(WORKS)" --sizes "$(SIZES)" --rounds $(or $(ROUNDS),0) $(BENCH_FLAGS)

# The other supervisors; none of them is started as a service. Those that cannot be had are left out.
bench-deps:
	tests/bench/install-peers $(BUILD)-peers

# The last results into doc/.
bench-doc:
	cp $(BUILD)/bench/bench.md doc/bench.md
	cp $(BUILD)/bench/bench.svg doc/bench.svg

SCRIPTS := $(addprefix contrib/,sysv/procd openrc/procd alpine/APKBUILD alpine/procd.post-upgrade) \
	$(addprefix contrib/debian/,postinst prerm postrm tests/smoke) tests/package/check-deb \
	tests/check-version
lint: $(MAN_BUILT) $(UNITS_BUILT)
	cppcheck --quiet --std=c11 --enable=warning,portability,performance --inline-suppr \
		--suppress=unknownMacro --error-exitcode=1 -D_GNU_SOURCE -Isrc src tests/tools
	mandoc -T lint -W warning $(MAN_BUILT)
	shellcheck bootstrap .ci/run contrib/completion/procd.bash $(SCRIPTS) $(addprefix tests/,run-fuzz report-coverage make-dist check-units) tests/bench/install-peers
	tests/check-units $(UNITS_BUILT)
	tests/check-version

# What the option table says about itself: the sample is kept in the tree (a test compares them),
# the JSON Schema is made for the installation.
SCHEMA := daemon.toml.schema.json
$(BUILD)/$(SCHEMA): $(BUILD)/procd
	$(BUILD)/procd schema > $@
sample: $(BUILD)/procd
	$(BUILD)/procd sample > etc/daemon.toml

# --- install -------------------------------------------------------------------------------------

INSTALL ?= install
EXAMPLES := $(wildcard etc/*.toml etc/examples/* contrib/systemd/*.conf)
# NAME:PLACE of each shell's script; the places may be given.
bashcompletiondir ?= $(datadir)/bash-completion/completions
zshcompletiondir ?= $(datadir)/zsh/site-functions
fishcompletiondir ?= $(datadir)/fish/vendor_completions.d
COMPLETIONS = procd.bash:$(bashcompletiondir)/procd _procd:$(zshcompletiondir)/_procd \
	procd.fish:$(fishcompletiondir)/procd.fish
# Units of the system and of users stand beside each other.
systemdunitdir = $(patsubst %/system,%,$(systemdsystemunitdir))
unit-path = $(systemdunitdir)/$(if $(findstring /,$(1)),$(1),system/$(1))
INSTALL_UNITS = $(if $(systemdsystemunitdir),$(UNITS) $(USER_UNITS))
INSTALL_OBJECT = $(if $(WITH_HEAP_PROFILING),$(HEAP_OBJECT))
# name.8 -> man8/name.8
man-path = $(mandir)/man$(patsubst .%,%,$(suffix $(1)))/$(1)

install: $(BUILD)/procd $(BUILD)/$(SCHEMA) $(MAN_BUILT) $(UNITS_BUILT) $(INSTALL_OBJECT)
	$(INSTALL) -d $(DESTDIR)$(sysconfdir)/procd
	$(INSTALL) -D -m 755 $(BUILD)/procd $(DESTDIR)$(bindir)/procd
	$(foreach o,$(INSTALL_OBJECT),$(INSTALL) -D -m 755 $(o) $(DESTDIR)$(libexecdir)/procd/$(notdir $(o)))
	$(INSTALL) -D -m 644 $(BUILD)/$(SCHEMA) $(DESTDIR)$(datadir)/procd/$(SCHEMA)
	$(foreach m,$(MAN),$(INSTALL) -D -m 644 $(BUILD)/man/$(m) $(DESTDIR)$(call man-path,$(m)) &&) :
	$(foreach e,$(EXAMPLES),$(INSTALL) -D -m 644 $(e) $(DESTDIR)$(docdir)/examples/$(notdir $(e)) &&) :
	$(foreach u,$(INSTALL_UNITS),$(INSTALL) -D -m 644 $(BUILD)/systemd/$(u) \
		$(DESTDIR)$(call unit-path,$(u)) &&) :
	$(foreach c,$(COMPLETIONS),$(INSTALL) -D -m 644 \
		contrib/completion/$(subst :, $(DESTDIR),$(c)) &&) :

uninstall:
	rm -f $(DESTDIR)$(bindir)/procd $(DESTDIR)$(datadir)/procd/$(SCHEMA) \
		$(DESTDIR)$(libexecdir)/procd/$(notdir $(HEAP_OBJECT)) \
		$(foreach m,$(MAN),$(DESTDIR)$(call man-path,$(m))) \
		$(foreach e,$(EXAMPLES),$(DESTDIR)$(docdir)/examples/$(notdir $(e))) \
		$(foreach u,$(INSTALL_UNITS),$(DESTDIR)$(call unit-path,$(u))) \
		$(foreach c,$(COMPLETIONS),$(DESTDIR)$(lastword $(subst :, ,$(c))))

# --- release -------------------------------------------------------------------------------------

DIST := procd-$(VERSION)
# All files get the same time (the commit's), so that the tarball is the same wherever it is made
# and its configure is never older than configure.ac.
dist: configure
	tests/make-dist $(DIST)

distcheck: dist
	rm -rf $(BUILD)-dist && mkdir -p $(BUILD)-dist
	tar -xJf $(DIST).tar.xz -C $(BUILD)-dist
	cd $(BUILD)-dist/$(DIST) && ./configure --prefix=/usr --sysconfdir=/etc && \
		$(MAKE) BUILD=build all unit && $(MAKE) BUILD=build install DESTDIR=$$PWD/inst && \
		$(MAKE) BUILD=build uninstall DESTDIR=$$PWD/inst && \
		! find inst -type f | grep .
	rm -rf $(BUILD)-dist

# A Debian package, made as a Debian developer makes it, from the tarball and contrib/debian: ends up in
# $(BUILD)-deb. Its unit tests are those of distcheck; DEB_BUILD_OPTIONS= runs them here, too.
# Whoever publishes the package gives it a mail address; the project has none.
DEB_ADDRESS_TAGS := bogus-mail-host,bogus-mail-host-in-debian-changelog
deb: export DEB_BUILD_OPTIONS ?= nocheck parallel=2
deb: dist
	rm -rf $(BUILD)-deb && mkdir -p $(BUILD)-deb
	cp $(DIST).tar.xz $(BUILD)-deb/procd_$(VERSION).orig.tar.xz
	tar -xJf $(DIST).tar.xz -C $(BUILD)-deb
	cp -r $(BUILD)-deb/$(DIST)/contrib/debian $(BUILD)-deb/$(DIST)/debian
	cd $(BUILD)-deb/$(DIST) && env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL -u BUILD -u CONFIG \
		dpkg-buildpackage -us -uc
	cd $(BUILD)-deb && lintian --fail-on error,warning --info \
		--suppress-tags $(DEB_ADDRESS_TAGS) procd_*.changes

# Installed, upgraded, removed and purged on a fresh Debian with a running systemd, in namespaces: root,
# debootstrap and a mirror; 20 s, and a minute or more once for that Debian.
deb-check:
	ls $(BUILD)-deb/procd_*.deb >/dev/null 2>&1 || $(MAKE) deb
	tests/package/check-deb $(BUILD)-deb/procd_$(VERSION)-*.deb $(BUILD)-debian

# Everything that a release must pass, on top of what CI did.
release-check:
	tests/check-version --release
	rpmspec -q contrib/rpm/procd.spec
	$(MAKE) lint check distcheck deb
	$(MAKE) deb-check

clean:
	rm -rf $(BUILD) $(addprefix $(BUILD)-,asan tsan fuzz cov dist deb debian minimal full)
distclean: clean
	rm -rf config.mk config.h config.log config.status configure autom4te.cache procd-*.tar.xz

-include $(shell find $(BUILD) -type f -name '*.d' 2>/dev/null)
