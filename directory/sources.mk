# Everything that is compiled from this folder, one file a line.
DIRECTORY_SRCS = \
	directory/account_rights.c \
	directory/alias_target.c \
	directory/aliases.c \
	directory/answer.c \
	directory/arena.c \
	directory/backscatter.c \
	directory/build.c \
	directory/build_aliases.c \
	directory/catalog.c \
	directory/compile.c \
	directory/compiler.c \
	directory/directory.c \
	directory/expand.c \
	directory/forwards.c \
	directory/hops.c \
	directory/image.c \
	directory/lint.c \
	directory/lists.c \
	directory/lookup.c \
	directory/mailbox.c \
	directory/names.c \
	directory/passwd.c \
	directory/passwords.c \
	directory/program_check.c \
	directory/programs.c \
	directory/record.c \
	directory/resolve.c \
	directory/source.c \
	directory/spec.c \
	directory/state.c \
	directory/table.c \
	directory/users.c \
	directory/watch.c
