# Everything that is compiled from this folder, one file a line.
POSTERN_SRCS = \
	postern/backscatter.c \
	postern/certificates.c \
	postern/check.c \
	postern/children.c \
	postern/compile.c \
	postern/dkim_keys.c \
	postern/endpoints.c \
	postern/generation.c \
	postern/hop_talk.c \
	postern/host_check.c \
	postern/listen.c \
	postern/log_sink.c \
	postern/main.c \
	postern/name_servers.c \
	postern/next_hops.c \
	postern/notify.c \
	postern/privileges.c \
	postern/secret_file.c \
	postern/signatures_check.c \
	postern/state_dir.c \
	postern/supervisor.c \
	postern/wire.c
