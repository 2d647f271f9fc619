# Everything that is compiled from this folder, one file a line.
RELAY_SRCS = \
	relay/circle.c \
	relay/connection.c \
	relay/connector.c \
	relay/errand.c \
	relay/dialogue.c \
	relay/dialogue_envelope.c \
	relay/encoder.c \
	relay/features.c \
	relay/forward.c \
	relay/fetch.c \
	relay/home.c \
	relay/hosts.c \
	relay/hosts_ask.c \
	relay/job.c \
	relay/job_hop.c \
	relay/job_security.c \
	relay/job_wait.c \
	relay/net_address.c \
	relay/next_hop.c \
	relay/own.c \
	relay/peers.c \
	relay/penalties.c \
	relay/probe.c \
	relay/probe_cache.c \
	relay/probe_limits.c \
	relay/relay.c \
	relay/recipient_list.c \
	relay/response.c \
	relay/rewrite.c \
	relay/settings.c \
	relay/seven_bit.c \
	relay/status.c \
	relay/sts.c \
	relay/sts_entries.c \
	relay/sts_keep.c \
	relay/tls_report.c
