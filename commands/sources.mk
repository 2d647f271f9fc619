# posternctl.
POSTERNCTL_SRCS = \
	commands/explain.c \
	commands/posternctl.c
