# Everything that is compiled from this folder, one file a line.
DELIVER_SRCS = \
	deliver/boxes.c \
	deliver/deliver.c \
	deliver/delivery.c \
	deliver/dispatch.c \
	deliver/execute.c \
	deliver/failure.c \
	deliver/junk.c \
	deliver/mailcache.c \
	deliver/maildir.c \
	deliver/maildirsize.c \
	deliver/monitor.c \
	deliver/path.c \
	deliver/phases.c \
	deliver/pool.c \
	deliver/pool_choose.c \
	deliver/probe.c \
	deliver/program_verdict.c \
	deliver/programs.c \
	deliver/renames.c \
	deliver/resolve.c \
	deliver/run.c \
	deliver/runner.c \
	deliver/steps.c \
	deliver/work.c \
	deliver/worker.c
