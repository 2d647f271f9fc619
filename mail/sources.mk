# Everything that is compiled from this folder, one file a line.
MAIL_SRCS = \
	mail/address.c \
	mail/address_domain.c \
	mail/address_form.c \
	mail/author.c \
	mail/authres.c \
	mail/authres_forged.c \
	mail/clamd.c \
	mail/header.c \
	mail/mail_date.c \
	mail/milter.c \
	mail/mime.c \
	mail/mime_charset.c \
	mail/mime_decode.c \
	mail/mime_field.c \
	mail/mime_text.c \
	mail/received.c \
	mail/reply.c \
	mail/smtp_command.c \
	mail/smtp_params.c \
	mail/tag_list.c
