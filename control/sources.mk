# Everything that is compiled from this folder, one file a line.
CONTROL_SRCS = \
	control/clients.c \
	control/control.c \
	control/dns.c \
	control/explain.c \
	control/explain_text.c \
	control/queue.c \
	control/relay_status.c \
	control/requests.c \
	control/sent.c \
	control/status.c \
	control/status_prometheus.c \
	control/status_text.c \
	control/why_text.c
