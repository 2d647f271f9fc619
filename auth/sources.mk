# Everything that is compiled from this folder, one file a line.
AUTH_SRCS = \
	auth/auth.c
