# Everything that is compiled from this folder, one file a line.
QUEUE_SRCS = \
	queue/queue.c
