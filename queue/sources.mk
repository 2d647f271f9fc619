# Everything that is compiled from this folder, one file a line.
QUEUE_SRCS = \
	queue/envelope.c \
	queue/envelope_parse.c \
	queue/heap.c \
	queue/lanes.c \
	queue/queue.c \
	queue/schedule.c \
	queue/spool.c \
	queue/spool_load.c \
	queue/word.c
