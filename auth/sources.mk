# Everything that is compiled from this folder, one file a line.
AUTH_SRCS = \
	auth/auth.c \
	auth/desk.c \
	auth/dovecot.c \
	auth/dovecot_line.c \
	auth/exchange.c \
	auth/guesses.c \
	auth/scram.c \
	auth/verify.c \
	auth/who.c
