# Everything that is compiled from this folder, one file a line.
RELAY_SRCS = \
	relay/relay.c
