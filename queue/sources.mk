# Everything that is compiled from this folder, one file a line.
QUEUE_SRCS = \
	queue/changes.c \
	queue/command_text.c \
	queue/commands.c \
	queue/envelope.c \
	queue/envelope_parse.c \
	queue/heap.c \
	queue/intake.c \
	queue/intake_told.c \
	queue/jobs.c \
	queue/lanes.c \
	queue/messages.c \
	queue/peers.c \
	queue/probes.c \
	queue/queue.c \
	queue/report_text.c \
	queue/reports.c \
	queue/results.c \
	queue/schedule.c \
	queue/sent.c \
	queue/spares.c \
	queue/spool.c \
	queue/spool_load.c \
	queue/tags.c \
	queue/word.c
