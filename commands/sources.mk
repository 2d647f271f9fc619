# posternctl, and sendmail with its other names.
POSTERNCTL_SRCS = \
	commands/control_client.c \
	commands/explain.c \
	commands/pasted.c \
	commands/posternctl.c \
	commands/unix_socket.c \
	commands/visibly.c

SENDMAIL_SRCS = \
	commands/complain.c \
	commands/control_client.c \
	commands/addressing.c \
	commands/addressing_from.c \
	commands/letter.c \
	commands/mailq.c \
	commands/sendmail.c \
	commands/sendmail_options.c \
	commands/server_place.c \
	commands/smtp_client.c \
	commands/smtp_pass.c \
	commands/transmit.c \
	commands/unix_socket.c \
	commands/visibly.c
