/* SPDX-License-Identifier: ISC */
/*
 * name_servers.c - see name_servers.h.
 *
 * resolver reads it before its sandbox closes, and libunbound takes no
 * settings once it runs. The network of a machine may come up after the
 * server, or be another one later: without this nothing could be looked up
 * until a restart.
 */
#include "file_io.h"
#include "name_servers.h"

#define RESOLV_CONF "/etc/resolv.conf"
#define FILE_MAX (64u << 10)

/* Only what resolver looks for: comments change with each lease. */
static int
read_lines(struct buf *lines)
{
	struct buf text = { .maximum = FILE_MAX };
	int error = file_read(RESOLV_CONF, &text);
	struct slice rest = buf_slice(&text);

	while (!error && rest.size > 0) {
		struct slice line = slice_trim(slice_next_line(&rest));

		if (slice_starts_nocase(line, SLICE("nameserver")) &&
		    ((error = buf_append_slice(lines, line)) == 0))
			error = buf_puts(lines, "\n");
	}
	buf_free(&text);
	return error;
}

/* A file that is gone, or names nobody, is about to be written. */
bool
name_servers_changed(struct buf *known)
{
	struct buf lines = { 0 };

	if (read_lines(&lines) != 0 || lines.size == 0 ||
	    slice_equals(buf_slice(&lines), buf_slice(known))) {
		buf_free(&lines);
		return false;
	}
	buf_free(known);
	*known = lines;
	return true;
}
