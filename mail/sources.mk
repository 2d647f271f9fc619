# Everything that is compiled from this folder, one file a line.
MAIL_SRCS = \
	mail/account.c \
	mail/address.c \
	mail/address_domain.c \
	mail/address_form.c \
	mail/address_list.c \
	mail/author.c \
	mail/authres.c \
	mail/authres_forged.c \
	mail/base64.c \
	mail/batv.c \
	mail/clamd.c \
	mail/complete.c \
	mail/dkim_body.c \
	mail/dkim_sign.c \
	mail/dsn.c \
	mail/dsn_text.c \
	mail/header.c \
	mail/list_tokens.c \
	mail/mail_date.c \
	mail/milter.c \
	mail/mime.c \
	mail/mime_charset.c \
	mail/mime_decode.c \
	mail/mime_field.c \
	mail/mime_text.c \
	mail/mta_sts.c \
	mail/received.c \
	mail/reply.c \
	mail/report.c \
	mail/report_formats.c \
	mail/report_text.c \
	mail/sasl.c \
	mail/smtp_command.c \
	mail/smtp_params.c \
	mail/srs.c \
	mail/tag_list.c
