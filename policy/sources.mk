# Everything that is compiled from this folder, one file a line.
POLICY_SRCS = \
	policy/dkim.c \
	policy/dkim_library.c \
	policy/dkim_signature.c \
	policy/dmarc.c \
	policy/dmarc_record.c
