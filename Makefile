# Postern: one plain Makefile. `make` builds, `make test` runs everything,
# `make run` shows it working; see README.md.

PREFIX ?= /usr/local
SYSCONFDIR ?= /etc
BUILD ?= build
CC ?= gcc
SAN ?=
FAULTS ?=

PKGS = libcrypto libseccomp libidn2
CPPFLAGS += -D_GNU_SOURCE -Iinclude
WARN = -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
	-Wpointer-arith -Wcast-qual -Wformat=2 -Wundef -Wvla
CFLAGS ?= -O2 -g
HARDEN = -fstack-protector-strong -fPIE
LDHARDEN = -pie -Wl,-z,relro,-z,now
ifneq ($(SAN),)
HARDEN += -fsanitize=address,undefined -fno-sanitize-recover=undefined \
	-fno-omit-frame-pointer
LDHARDEN += -fsanitize=address,undefined
else
CPPFLAGS += -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2
endif
ifneq ($(FAULTS),)
CPPFLAGS += -DPOSTERN_FAULTS
endif
ALL_CFLAGS = -std=c11 $(WARN) $(HARDEN) $(CFLAGS) \
	$(shell pkg-config --cflags $(PKGS))
LIBS = $(shell pkg-config --libs $(PKGS)) -ldb-5.3

LIB_SRCS = \
	lib/ask_deliver.c \
	lib/ask_directory.c \
	lib/ask_links.c \
	lib/ask_setup.c \
	lib/ask_store.c \
	lib/buf.c \
	lib/channel.c \
	lib/clock.c \
	lib/compartment.c \
	lib/config.c \
	lib/config_check.c \
	lib/config_domain.c \
	lib/config_frame.c \
	lib/config_keys.c \
	lib/config_lex.c \
	lib/config_list.c \
	lib/config_manual.c \
	lib/config_network.c \
	lib/config_number.c \
	lib/config_parse.c \
	lib/config_problem.c \
	lib/config_suggest.c \
	lib/config_text.c \
	lib/config_value.c \
	lib/fault.c \
	lib/ipc.c \
	lib/log.c \
	lib/loop.c \
	lib/message.c \
	lib/pack.c \
	lib/route.c \
	lib/sandbox.c \
	lib/sandbox_filter.c \
	lib/scoreboard.c \
	lib/short_id.c \
	lib/stream.c \
	lib/trail.c \
	lib/trail_line.c \
	lib/utf8.c \
	lib/verdict.c

MAIL_SRCS = \
	mail/address.c \
	mail/address_domain.c \
	mail/address_form.c \
	mail/header.c \
	mail/mail_date.c \
	mail/received.c \
	mail/reply.c \
	mail/smtp_command.c \
	mail/smtp_params.c

POSTERN_SRCS = \
	postern/check.c \
	postern/children.c \
	postern/listen.c \
	postern/main.c \
	postern/notify.c \
	postern/state_dir.c \
	postern/supervisor.c \
	postern/wire.c

SMTPD_SRCS = \
	smtpd/bdat.c \
	smtpd/boards.c \
	smtpd/body.c \
	smtpd/body_header.c \
	smtpd/connection.c \
	smtpd/copies.c \
	smtpd/data.c \
	smtpd/fate.c \
	smtpd/finish.c \
	smtpd/helo.c \
	smtpd/limits.c \
	smtpd/listen.c \
	smtpd/mail.c \
	smtpd/misc.c \
	smtpd/note.c \
	smtpd/peers.c \
	smtpd/prdr.c \
	smtpd/question_wire.c \
	smtpd/rcpt.c \
	smtpd/replies.c \
	smtpd/reply.c \
	smtpd/session.c \
	smtpd/smtpd.c \
	smtpd/trace.c \
	smtpd/transaction.c

DIRECTORY_SRCS = \
	directory/alias_target.c \
	directory/aliases.c \
	directory/answer.c \
	directory/arena.c \
	directory/build.c \
	directory/build_aliases.c \
	directory/catalog.c \
	directory/compile.c \
	directory/compiler.c \
	directory/directory.c \
	directory/expand.c \
	directory/forwards.c \
	directory/image.c \
	directory/lint.c \
	directory/lookup.c \
	directory/mailbox.c \
	directory/names.c \
	directory/passwd.c \
	directory/record.c \
	directory/resolve.c \
	directory/source.c \
	directory/spec.c \
	directory/state.c \
	directory/table.c \
	directory/users.c \
	directory/watch.c

DELIVER_SRCS = \
	deliver/boxes.c \
	deliver/deliver.c \
	deliver/delivery.c \
	deliver/dispatch.c \
	deliver/failure.c \
	deliver/flush.c \
	deliver/mailcache.c \
	deliver/maildir.c \
	deliver/maildirsize.c \
	deliver/path.c \
	deliver/phases.c \
	deliver/pool.c \
	deliver/probe.c \
	deliver/resolve.c \
	deliver/steps.c \
	deliver/work.c \
	deliver/worker.c

STORE_SRCS = \
	store/control_rules.c \
	store/ended.c \
	store/failures.c \
	store/hmac.c \
	store/kv_bdb.c \
	store/open.c \
	store/orphans.c \
	store/peers.c \
	store/record_index.c \
	store/records.c \
	store/resolve.c \
	store/segments.c \
	store/slots.c \
	store/smtpd_rules.c \
	store/store.c \
	store/upkeep.c \
	store/why.c

CONTROL_SRCS = \
	control/clients.c \
	control/control.c \
	control/requests.c \
	control/status_text.c \
	control/why_text.c

POSTERNCTL_SRCS = \
	commands/posternctl.c

UNIT_TESTS = \
	test_address \
	test_aliases \
	test_ask \
	test_body \
	test_config \
	test_config_errors \
	test_config_values \
	test_control_text \
	test_deliver \
	test_dialogue \
	test_stream \
	test_limits \
	test_directory_answer \
	test_directory_check \
	test_failures \
	test_header \
	test_ipc \
	test_kv \
	test_log \
	test_lookup \
	test_loop \
	test_mail_date \
	test_maildir \
	test_maildirsize \
	test_message \
	test_names \
	test_received \
	test_peers \
	test_records \
	test_reply \
	test_route \
	test_sandbox \
	test_scoreboard \
	test_segments \
	test_short_id \
	test_slots \
	test_smtp_command \
	test_tables \
	test_trail \
	test_users \
	test_utf8 \
	test_verdict \
	test_work

FUZZ_TARGETS = \
	fuzz_session \
	fuzz_control \
	fuzz_trail \
	fuzz_config \
	fuzz_address \
	fuzz_command \
	fuzz_header \
	fuzz_reply \
	fuzz_short_id \
	fuzz_route \
	fuzz_aliases \
	fuzz_users \
	fuzz_work \
	fuzz_maildirsize

FOLDERS = lib mail postern smtpd directory deliver store control
ARCHIVES = $(patsubst %,$(BUILD)/%.a,smtpd directory deliver store control mail lib)
PROGRAMS = $(BUILD)/postern $(BUILD)/posternctl

all: $(PROGRAMS)

objs = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))

$(BUILD)/obj/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/lib.a: $(call objs,$(LIB_SRCS))
$(BUILD)/mail.a: $(call objs,$(MAIL_SRCS))
$(BUILD)/smtpd.a: $(call objs,$(SMTPD_SRCS))
$(BUILD)/directory.a: $(call objs,$(DIRECTORY_SRCS))
$(BUILD)/deliver.a: $(call objs,$(DELIVER_SRCS))
$(BUILD)/store.a: $(call objs,$(STORE_SRCS))
$(BUILD)/control.a: $(call objs,$(CONTROL_SRCS))
$(ARCHIVES): Makefile
	@rm -f $@
	ar rcs $@ $(filter %.o,$^)

$(BUILD)/postern: $(call objs,$(POSTERN_SRCS)) $(ARCHIVES)
	$(CC) $(LDHARDEN) $(LDFLAGS) -o $@ $^ $(LIBS)

$(BUILD)/posternctl: $(call objs,$(POSTERNCTL_SRCS)) $(BUILD)/lib.a
	$(CC) $(LDHARDEN) $(LDFLAGS) -o $@ $^ $(LIBS)

# postern.conf(5) is made from the table of keys (lib/config_keys.c).
$(BUILD)/config-manual: $(call objs,commands/config_manual.c) $(BUILD)/lib.a
	$(CC) $(LDHARDEN) $(LDFLAGS) -o $@ $^ $(LIBS)

doc/postern.conf.5: $(BUILD)/config-manual
	$(BUILD)/config-manual > $@.new && mv $@.new $@

# Unit tests: archives give each test just the objects that it needs.
$(BUILD)/unit/%: $(BUILD)/obj/tests/unit/%.o $(ARCHIVES)
	@mkdir -p $(@D)
	$(CC) $(LDHARDEN) $(LDFLAGS) -o $@ $< -Wl,--start-group $(ARCHIVES) -Wl,--end-group $(LIBS) -lcmocka

# How fast deliver is by itself.
$(BUILD)/bench/deliver_drive: $(BUILD)/obj/tests/bench/deliver_drive.o $(ARCHIVES)
	@mkdir -p $(@D)
	$(CC) $(LDHARDEN) $(LDFLAGS) -o $@ $< -Wl,--start-group $(ARCHIVES) -Wl,--end-group $(LIBS)

unit: $(patsubst %,$(BUILD)/unit/%,$(UNIT_TESTS))

# Postern beside Postfix; tests/bench/run.py says how.
bench: all
	tests/bench/run.py $(BUILD)

# Fuzz targets: clang's libFuzzer, everything instrumented.
FUZZ_FLAGS = -g -O1 -fsanitize=fuzzer-no-link,address,undefined
fuzz:
	$(MAKE) BUILD=build-fuzz CC=clang FUZZING=1 CFLAGS="$(FUZZ_FLAGS)" \
	    LDFLAGS="-fsanitize=fuzzer,address,undefined" \
	    $(patsubst %,build-fuzz/fuzz/%,$(FUZZ_TARGETS))

$(BUILD)/fuzz/%: $(BUILD)/obj/tests/fuzz/%.o $(ARCHIVES)
	@mkdir -p $(@D)
	$(CC) $(LDHARDEN) $(LDFLAGS) -o $@ $< -Wl,--start-group $(ARCHIVES) -Wl,--end-group $(LIBS)

check-headers:
	@for h in include/*.h; do \
	    $(CC) $(CPPFLAGS) -std=c11 $(WARN) -Werror -fsyntax-only -x c $$h || exit 1; \
	done

install-build:
	@tests/install-packages.sh build

run:
	@tests/install-packages.sh build demo
	@$(MAKE) -s -j2 all
	@tests/demo/run.sh $(BUILD)

test:
	@tests/install-packages.sh build unit e2e
	@tests/make-users.sh
	@/usr/bin/python3 tests/run.py $(STAGES)

lint:
	@/usr/bin/python3 tests/lint.py

install: all
	install -d $(DESTDIR)$(PREFIX)/sbin $(DESTDIR)$(PREFIX)/share/man/man5 \
	    $(DESTDIR)$(PREFIX)/share/man/man8 $(DESTDIR)$(SYSCONFDIR)/postern \
	    $(DESTDIR)$(PREFIX)/lib/systemd/system $(DESTDIR)$(PREFIX)/lib/sysusers.d
	install -m 755 $(PROGRAMS) $(DESTDIR)$(PREFIX)/sbin
	install -m 644 doc/postern.conf.5 $(DESTDIR)$(PREFIX)/share/man/man5
	install -m 644 doc/postern.8 doc/posternctl.8 $(DESTDIR)$(PREFIX)/share/man/man8
	install -m 644 etc/postern.service etc/postern.socket $(DESTDIR)$(PREFIX)/lib/systemd/system
	install -m 644 etc/sysusers.d/postern.conf $(DESTDIR)$(PREFIX)/lib/sysusers.d
	test -e $(DESTDIR)$(SYSCONFDIR)/postern/postern.conf || \
	    install -m 644 etc/postern.conf $(DESTDIR)$(SYSCONFDIR)/postern

print-%:
	@echo $($*)

clean:
	rm -rf build build-san build-faults build-fuzz build-clang

-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)

.PHONY: all unit bench clean
.SECONDARY:
