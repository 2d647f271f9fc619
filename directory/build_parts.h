/* SPDX-License-Identifier: ISC */
/*
 * build_parts.h - what build.c and build_aliases.c share.
 */
#ifndef DIRECTORY_BUILD_PARTS_H
#define DIRECTORY_BUILD_PARTS_H

#include "build.h"

/* image_add of an encoded value, unless encoding it failed (error). */
int build_add(struct build *build, char kind, struct slice name,
    const struct buf *value, int error);
/* Read a source and note its stamp; a failure becomes an error. */
int build_read(struct build *build, const char *path, struct buf *text,
    struct config_problems *problems);
/* An error that leaves something to look at. */
bool build_goes_on(int error);
int build_aliases(struct build *build, const struct table_spec *spec,
    struct config_problems *problems);

#endif
