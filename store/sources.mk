# Everything that is compiled from this folder, one file a line.
STORE_SRCS = \
	store/control_rules.c \
	store/ended.c \
	store/failures.c \
	store/grey.c \
	store/hmac.c \
	store/kv_bdb.c \
	store/ledger.c \
	store/notes.c \
	store/notes_rules.c \
	store/open.c \
	store/orphans.c \
	store/peers.c \
	store/queue_rules.c \
	store/record_index.c \
	store/proofs.c \
	store/proofs_rules.c \
	store/records.c \
	store/relay_rules.c \
	store/resolve.c \
	store/segments.c \
	store/sent.c \
	store/sent_rules.c \
	store/slots.c \
	store/smtpd_rules.c \
	store/store.c \
	store/sts.c \
	store/upkeep.c \
	store/why.c
