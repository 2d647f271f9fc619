# Everything that is compiled from this folder, one file a line.
DELIVER_SRCS = \
	deliver/boxes.c \
	deliver/deliver.c \
	deliver/delivery.c \
	deliver/dispatch.c \
	deliver/failure.c \
	deliver/junk.c \
	deliver/mailcache.c \
	deliver/maildir.c \
	deliver/maildirsize.c \
	deliver/path.c \
	deliver/phases.c \
	deliver/pool.c \
	deliver/probe.c \
	deliver/renames.c \
	deliver/resolve.c \
	deliver/steps.c \
	deliver/work.c \
	deliver/worker.c
