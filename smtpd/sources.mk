# Everything that is compiled from this folder, one file a line.
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
	smtpd/signer.c \
	smtpd/smtpd.c \
	smtpd/starttls.c \
	smtpd/trace.c \
	smtpd/transaction.c
