# Everything that is compiled from this folder, one file a line.
POLICY_SRCS = \
	policy/spf.c \
	policy/spf_enter.c \
	policy/spf_layer.c \
	policy/spf_macro.c \
	policy/spf_ptr.c \
	policy/spf_record.c \
	policy/spf_text.c \
	policy/spf_walk.c
