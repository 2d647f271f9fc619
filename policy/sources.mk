# Everything that is compiled from this folder, one file a line.
POLICY_SRCS = \
	policy/answer.c \
	policy/check.c \
	policy/check_attachments.c \
	policy/check_authres.c \
	policy/check_bounce.c \
	policy/check_content.c \
	policy/check_dkim.c \
	policy/check_dmarc.c \
	policy/check_dnsbl.c \
	policy/check_fcrdns.c \
	policy/check_fields.c \
	policy/check_greylist.c \
	policy/check_helo.c \
	policy/check_sender.c \
	policy/check_spf.c \
	policy/dkim.c \
	policy/dkim_key.c \
	policy/dkim_library.c \
	policy/dkim_report.c \
	policy/dkim_signature.c \
	policy/dmarc.c \
	policy/dmarc_record.c \
	policy/dmarc_text.c \
	policy/judge.c \
	policy/network.c \
	policy/policy.c \
	policy/spf.c \
	policy/spf_enter.c \
	policy/spf_layer.c \
	policy/spf_macro.c \
	policy/spf_ptr.c \
	policy/spf_record.c \
	policy/spf_result.c \
	policy/spf_text.c \
	policy/spf_walk.c \
	policy/warm_up.c
