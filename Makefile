# Postern: one plain Makefile. `make` builds, `make test` runs everything,
# `make run` shows it working; see README.md.

PREFIX ?= /usr/local
SYSCONFDIR ?= /etc
BUILD ?= build
CC ?= gcc
SAN ?=
FAULTS ?=

PKGS = libssl libcrypto libseccomp libidn2 libpsl
# what a packager puts into CPPFLAGS, CFLAGS or LDFLAGS comes behind ours
ALL_CPPFLAGS = -D_GNU_SOURCE -Iinclude
WARN = -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
	-Wpointer-arith -Wcast-qual -Wformat=2 -Wundef -Wvla
CFLAGS ?= -O2 -g
HARDEN = -fstack-protector-strong -fPIE
# a library for what uses it alone
LDHARDEN = -pie -Wl,-z,relro,-z,now -Wl,--as-needed
ifneq ($(SAN),)
HARDEN += -fsanitize=address,undefined -fno-sanitize-recover=undefined \
	-fno-omit-frame-pointer
LDHARDEN += -fsanitize=address,undefined
else ifeq ($(findstring _FORTIFY_SOURCE,$(CPPFLAGS) $(CFLAGS)),)
ALL_CPPFLAGS += -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2
endif
ifneq ($(FAULTS),)
ALL_CPPFLAGS += -DPOSTERN_FAULTS
endif
ALL_CPPFLAGS += $(CPPFLAGS)
ALL_CFLAGS = -std=c11 $(WARN) $(HARDEN) $(CFLAGS) \
	$(shell pkg-config --cflags $(PKGS))
LIBS = $(shell pkg-config --libs $(PKGS)) -ldb-5.3 -lunbound -lspf2 -lopendkim -lgsasl -lcrypt

# Each folder lists what is compiled from it.
include $(patsubst %,%/sources.mk,lib mail postern smtpd policy directory deliver store vault resolver auth queue relay control commands tests)

ARCHIVES = $(patsubst %,$(BUILD)/%.a,smtpd policy directory deliver store vault resolver auth queue relay control commands mail lib)
PROGRAMS = $(BUILD)/postern $(BUILD)/posternctl $(BUILD)/sendmail

all: $(PROGRAMS)

objs = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))

$(BUILD)/obj/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/lib.a: $(call objs,$(LIB_SRCS))
$(BUILD)/mail.a: $(call objs,$(MAIL_SRCS))
$(BUILD)/smtpd.a: $(call objs,$(SMTPD_SRCS))
$(BUILD)/policy.a: $(call objs,$(POLICY_SRCS))
$(BUILD)/directory.a: $(call objs,$(DIRECTORY_SRCS))
$(BUILD)/deliver.a: $(call objs,$(DELIVER_SRCS))
$(BUILD)/store.a: $(call objs,$(STORE_SRCS))
$(BUILD)/vault.a: $(call objs,$(VAULT_SRCS))
$(BUILD)/resolver.a: $(call objs,$(RESOLVER_SRCS))
$(BUILD)/auth.a: $(call objs,$(AUTH_SRCS))
$(BUILD)/queue.a: $(call objs,$(QUEUE_SRCS))
$(BUILD)/relay.a: $(call objs,$(RELAY_SRCS))
$(BUILD)/control.a: $(call objs,$(CONTROL_SRCS))
$(BUILD)/commands.a: $(call objs,$(filter-out commands/sendmail.c,$(SENDMAIL_SRCS)) commands/pasted.c)
$(ARCHIVES): $(MAKEFILE_LIST)
	@rm -f $@
	ar rcs $@ $(filter %.o,$^)

$(BUILD)/postern: $(call objs,$(POSTERN_SRCS)) $(ARCHIVES)
	$(CC) $(LDHARDEN) $(LDFLAGS) -o $@ $^ $(LIBS)

$(BUILD)/posternctl: $(call objs,$(POSTERNCTL_SRCS)) $(patsubst %,$(BUILD)/%.a,commands mail lib)
	$(CC) $(LDHARDEN) $(LDFLAGS) -o $@ $^ $(LIBS)

$(BUILD)/sendmail: $(call objs,commands/sendmail.c) $(patsubst %,$(BUILD)/%.a,commands mail lib)
	$(CC) $(LDHARDEN) $(LDFLAGS) -o $@ $^ $(LIBS)

# postern.conf(5) is made from the tables of lib/config_keys.c, config_sections.c.
$(BUILD)/config-manual: $(call objs,commands/config_manual.c) $(BUILD)/lib.a
	$(CC) $(LDHARDEN) $(LDFLAGS) -o $@ $^ $(LIBS)

doc/postern.conf.5: $(BUILD)/config-manual
	$(BUILD)/config-manual > $@.new && mv $@.new $@

# Unit tests: archives give each test just the objects that it needs.
$(BUILD)/unit/%: $(BUILD)/obj/tests/unit/%.o $(ARCHIVES)
	@mkdir -p $(@D)
	$(CC) $(LDHARDEN) $(LDFLAGS) -o $@ $< -Wl,--start-group $(ARCHIVES) -Wl,--end-group $(LIBS) -lcmocka

# Programs that tests run: SPF over real DNS answers.
$(BUILD)/tests/%: $(BUILD)/obj/tests/spf/%.o $(ARCHIVES)
	@mkdir -p $(@D)
	$(CC) $(LDHARDEN) $(LDFLAGS) -o $@ $< -Wl,--start-group $(ARCHIVES) -Wl,--end-group $(LIBS)

# How fast deliver, policy and the ledger are by themselves.
$(BUILD)/bench/%_drive: $(BUILD)/obj/tests/bench/%_drive.o $(ARCHIVES)
	@mkdir -p $(@D)
	$(CC) $(LDHARDEN) $(LDFLAGS) -o $@ $< -Wl,--start-group $(ARCHIVES) -Wl,--end-group $(LIBS)

unit: $(patsubst %,$(BUILD)/unit/%,$(UNIT_TESTS))

# Postern beside Postfix; tests/bench/run.py says how.
bench: all $(patsubst %,$(BUILD)/bench/%_drive,judge spool ledger)
	tests/bench/run.py $(BUILD); status=$$?; [ -n "$(CASES)" ] || \
	/usr/bin/python3 tests/bench/guesses.py $(BUILD) || status=1; \
	[ -n "$(CASES)" ] || $(BUILD)/bench/ledger_drive \
	    $(BUILD)/bench/ledger 1000000 || status=1; exit $$status

# What reaches the victim of a forged reverse-path, Postfix beside Postern:
# tests/battery/run.py; CASES="word ..." picks cases.
battery:
	@tests/install-packages.sh build e2e
	@$(MAKE) -s -j2 FAULTS=1 BUILD=build-faults all
	@/usr/bin/python3 tests/battery/run.py $(CASES)

# Fuzz targets: clang's libFuzzer, everything instrumented.
FUZZ_FLAGS = -g -O1 -fsanitize=fuzzer-no-link,address,undefined
fuzz:
	$(MAKE) BUILD=build-fuzz CC=clang CFLAGS="$(FUZZ_FLAGS)" \
	    LDFLAGS="-fsanitize=fuzzer,address,undefined" \
	    $(patsubst %,build-fuzz/fuzz/%,$(FUZZ_TARGETS))

$(BUILD)/fuzz/%: $(BUILD)/obj/tests/fuzz/%.o $(ARCHIVES)
	@mkdir -p $(@D)
	$(CC) $(LDHARDEN) $(LDFLAGS) -o $@ $< -Wl,--start-group $(ARCHIVES) -Wl,--end-group $(LIBS)

check-headers:
	@for h in include/*.h; do \
	    $(CC) $(ALL_CPPFLAGS) -std=c11 $(WARN) -Werror -fsyntax-only -x c $$h || exit 1; \
	done

run:
	@tests/install-packages.sh build demo
	@$(MAKE) -s -j2 all
	@tests/demo/run.sh $(BUILD)

test:
	@tests/install-packages.sh build unit e2e
	@tests/make-users.sh
	@/usr/bin/python3 tests/run.py $(STAGES)

# Random mail with random faults: SOAK_MINUTES (60), SOAK_SEED.
soak:
	@tests/install-packages.sh build e2e
	@tests/make-users.sh
	@$(MAKE) -s -j2 all
	@/usr/bin/python3 tests/soak/soak.py

lint:
	@/usr/bin/python3 tests/lint.py

install: all
	install -d $(DESTDIR)$(PREFIX)/sbin $(DESTDIR)$(PREFIX)/bin \
	    $(DESTDIR)$(PREFIX)/share/man/man1 $(DESTDIR)$(PREFIX)/share/man/man5 \
	    $(DESTDIR)$(PREFIX)/share/man/man8 $(DESTDIR)$(SYSCONFDIR)/postern \
	    $(DESTDIR)$(PREFIX)/lib/systemd/system $(DESTDIR)$(PREFIX)/lib/sysusers.d
	install -m 755 $(PROGRAMS) $(DESTDIR)$(PREFIX)/sbin
	for n in mailq newaliases; do \
	    ln -sf ../sbin/sendmail $(DESTDIR)$(PREFIX)/bin/$$n && \
	    ln -sf ../man8/sendmail.8 $(DESTDIR)$(PREFIX)/share/man/man1/$$n.1 || exit 1; \
	done
	install -m 644 doc/postern.conf.5 $(DESTDIR)$(PREFIX)/share/man/man5
	install -m 644 doc/postern.8 doc/posternctl.8 doc/sendmail.8 $(DESTDIR)$(PREFIX)/share/man/man8
	install -m 644 etc/postern.service etc/postern.socket $(DESTDIR)$(PREFIX)/lib/systemd/system
	sed -i 's|/usr/local/sbin|$(PREFIX)/sbin|' $(DESTDIR)$(PREFIX)/lib/systemd/system/postern.service
	install -m 644 etc/sysusers.d/postern.conf $(DESTDIR)$(PREFIX)/lib/sysusers.d
	ln -sf ../sbin/sendmail $(DESTDIR)$(PREFIX)/lib/sendmail
	test -e $(DESTDIR)$(SYSCONFDIR)/postern/postern.conf || \
	    install -m 644 etc/postern.conf $(DESTDIR)$(SYSCONFDIR)/postern
	test -e $(DESTDIR)$(SYSCONFDIR)/aliases || \
	    install -m 644 etc/aliases $(DESTDIR)$(SYSCONFDIR)

print-%:
	@echo $($*)

clean:
	rm -rf build build-san build-faults build-fuzz build-clang

-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)

.PHONY: all unit bench battery fuzz check-headers run test soak lint install \
	clean
.SECONDARY:
