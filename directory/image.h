/* SPDX-License-Identifier: ISC */
/*
 * image.h - a table in memory: sorted keys with their values.
 *
 * The compiler fills one from the text and writes it to a file; `postern -n`
 * and tests look things up in it directly. Filled first (image_add), then
 * sorted once (image_sort), then only read.
 */
#ifndef DIRECTORY_IMAGE_H
#define DIRECTORY_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include "buf.h"

struct image_entry {
	size_t offset;		/* of the key in data; the value follows */
	size_t key_size, value_size;
};

struct image {			/* zero it before first use */
	struct buf data;
	struct image_entry *entries;
	size_t n;
};

/* 0 or -ENOMEM, -ENOBUFS. */
int image_add(struct image *image, char kind, struct slice name,
    struct slice value);
/* -EEXIST when two keys are alike; only the one added first is kept. */
int image_sort(struct image *image);
/* The value of key; false when there is none. */
bool image_find(const struct image *image, struct slice key,
    struct slice *value);
struct slice image_key(const struct image *image, size_t i);
struct slice image_value(const struct image *image, size_t i);
void image_free(struct image *image);

#endif
