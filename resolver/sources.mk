# Everything that is compiled from this folder, one file a line.
RESOLVER_SRCS = \
	resolver/alarm.c \
	resolver/engine.c \
	resolver/event_base.c \
	resolver/keyed_hash.c \
	resolver/peers.c \
	resolver/probe.c \
	resolver/questions.c \
	resolver/rdata.c \
	resolver/resolver.c \
	resolver/settings.c \
	resolver/shares.c
