/* SPDX-License-Identifier: ISC */
/*
 * content.h - the walk through a message that the checks of content share.
 */
#ifndef POSTERN_POLICY_CONTENT_H
#define POSTERN_POLICY_CONTENT_H

#include "check.h"
#include "mime.h"

/* mime_walk_start with the configured limits. */
void content_walk_start(const struct check *c, struct mime_walk *walk);

#endif
