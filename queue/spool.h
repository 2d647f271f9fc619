/* SPDX-License-Identifier: ISC */
/*
 * spool.h - queued messages on disk.
 *
 *	prepared/ID  --COMMIT-->  active/ID  -->  failed/ID  -->  (gone)
 *	     \--> (dropped)           \--> (gone)
 *	bodies/ID    one for each envelope, from PREPARE until it is gone
 *	damaged/     what start found and could not read; nobody looks in there
 *	spare/       files of messages that are gone (spares.h), for seconds
 *
 * An envelope (envelope.h) moves from folder to folder; its body stays where
 * it is, so that each step is one rename. failed/ is where a message waits
 * whose recipients all have their answer, for its DSN: nothing goes back
 * from there. An envelope is replaced by writing active/ID.new, flushing and
 * renaming it.
 *
 * Changes are put down one by one and made durable together:
 *
 *	spool_prepare, spool_commit, spool_take, spool_replace ...
 *	    -> spool_flush
 *	    -> each one's done() with 0 or a negative errno
 *
 * Only queue uses this, in its working directory; functions block for as
 * long as the disk does. Nothing here logs.
 *
 * A crash leaves: before done() of PREPARE what spool_load removes; after it
 * the prepared message, which spool_load removes too, since its submitter
 * has not been told yes; at COMMIT the message here or there; at a replace
 * the old envelope or the new one.
 */
#ifndef QUEUE_SPOOL_H
#define QUEUE_SPOOL_H

#include "envelope.h"

struct spool;

enum spool_folder { SPOOL_PREPARED, SPOOL_ACTIVE, SPOOL_FAILED, SPOOL_BODIES,
	SPOOL_DAMAGED, SPOOL_SPARE, SPOOL_N_FOLDERS };

/* error is 0 or a negative errno: then it is as if it had not been asked. */
typedef void spool_done_fn(void *arg, int error);

/* Opens the folders and makes those that are missing. 0 or -errno. */
int spool_open(struct spool **spool);
void spool_close(struct spool **spool);

struct spool_visitor {
	/* The envelope is its own from then on. */
	void (*found)(struct envelope *e, enum spool_folder folder, void *arg);
	/* Set aside in damaged/; why is a word for the log. */
	void (*damaged)(const char *name, const char *why, void *arg);
	/* Left where it is; is_end: spool_load ends with this error. */
	void (*unread)(const char *name, int error, bool is_end, void *arg);
	void *arg;
};
/*
 * At start: tell every message that is to be sent or reported, drop what was
 * never committed, set aside what is damaged, remove spare files and bodies
 * without an envelope. 0, or a negative errno when a folder cannot be read,
 * or a file for want of descriptors or memory: that may pass, and is tried
 * again by another start.
 */
int spool_load(struct spool *spool, const struct spool_visitor *visitor);

/* ---- changes; done is called by spool_flush ---- */

/*
 * Copy the message (all size_bytes of the envelope) into bodies/ and write
 * the envelope into prepared/. A negative errno: nothing is there, and done
 * is not called.
 */
int spool_prepare(struct spool *spool, const struct envelope *e,
    int message_fd, spool_done_fn *done, void *arg);
/* Make it active. 0 or a negative errno, as above. */
int spool_commit(struct spool *spool, uint64_t id, spool_done_fn *done,
    void *arg);
/* Both in one. */
int spool_take(struct spool *spool, const struct envelope *e, int message_fd,
    spool_done_fn *done, void *arg);
/* Replace the envelope in active/ or failed/. */
int spool_replace(struct spool *spool, const struct envelope *e,
    enum spool_folder folder, spool_done_fn *done, void *arg);
/* Everything since the last time is durable then, or has failed. */
void spool_flush(struct spool *spool);
/* Changes wait for it; removals alone can wait a little. */
bool spool_is_waiting(const struct spool *spool);
bool spool_has_removed(const struct spool *spool);

/* ---- at once ---- */

/* From active/ to failed/: every recipient has its answer. */
int spool_fail(struct spool *spool, uint64_t id);
/*
 * Envelope and body. 0 or a negative errno; -ENOENT is success. Their files
 * may stay in spare/, to be written over by the next message.
 */
int spool_remove(struct spool *spool, uint64_t id, enum spool_folder folder);
/* Each second or so: remove the spare files that nobody needed since the
 * last time. False: there are none left. */
bool spool_trim(struct spool *spool);
/* All of them. */
void spool_drop_spares(struct spool *spool);
/* -EBADMSG when it is damaged: it has been set aside then. */
int spool_read(struct spool *spool, uint64_t id, enum spool_folder folder,
    struct envelope **e);
/* The body, read-only; a negative errno. */
int spool_open_body(const struct spool *spool, uint64_t id);

#endif
