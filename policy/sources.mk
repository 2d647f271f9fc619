# Everything that is compiled from this folder, one file a line.
POLICY_SRCS = \
	policy/answer.c \
	policy/check.c \
	policy/check_attachments.c \
	policy/check_content.c \
	policy/check_dnsbl.c \
	policy/check_fcrdns.c \
	policy/check_fields.c \
	policy/check_greylist.c \
	policy/check_helo.c \
	policy/check_sender.c \
	policy/judge.c \
	policy/network.c \
	policy/policy.c \
	policy/warm_up.c
