# posternctl.
POSTERNCTL_SRCS = \
	commands/posternctl.c
