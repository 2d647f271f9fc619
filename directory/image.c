/* SPDX-License-Identifier: ISC */
/*
 * image.c - a table in memory; see image.h.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "grow.h"
#include "image.h"

int
image_add(struct image *image, char kind, struct slice name,
    struct slice value)
{
	struct image_entry *entries = grow_array(image->entries, image->n,
	    sizeof *entries);
	struct image_entry entry = { image->data.size, name.size + 1,
		value.size };
	int error;

	if (entries == NULL)
		return -ENOMEM;
	image->entries = entries;
	error = buf_append(&image->data, &kind, 1);
	if (!error)
		error = buf_append_slice(&image->data, name);
	if (!error)
		error = buf_append_slice(&image->data, value);
	if (!error)
		entries[image->n++] = entry;
	return error;
}

struct slice
image_key(const struct image *image, size_t i)
{
	const struct image_entry *entry = &image->entries[i];

	return (struct slice){ image->data.data + entry->offset,
		entry->key_size };
}

struct slice
image_value(const struct image *image, size_t i)
{
	const struct image_entry *entry = &image->entries[i];

	return (struct slice){ image->data.data + entry->offset +
		entry->key_size, entry->value_size };
}

/* The order of Berkeley DB's trees: octets, then length. */
static int
compare_keys(struct slice a, struct slice b)
{
	size_t common = a.size < b.size ? a.size : b.size;
	int order = memcmp(a.data, b.data, common);

	return order ? order : (a.size > b.size) - (a.size < b.size);
}

static int
compare_entries(const void *a, const void *b, void *arg)
{
	const struct image_entry *x = a, *y = b;
	const struct image *image = arg;
	int order = compare_keys(
	    (struct slice){ image->data.data + x->offset, x->key_size },
	    (struct slice){ image->data.data + y->offset, y->key_size });

	return order ? order : (x->offset > y->offset) -
	    (x->offset < y->offset);
}

int
image_sort(struct image *image)
{
	size_t n = 1;
	int result = 0;

	if (image->n == 0)
		return 0;
	qsort_r(image->entries, image->n, sizeof *image->entries,
	    compare_entries, image);
	for (size_t i = 1; i < image->n; i++)
		if (slice_equals(image_key(image, i),
		    image_key(image, n - 1)))
			result = -EEXIST;
		else
			image->entries[n++] = image->entries[i];
	image->n = n;
	return result;
}

bool
image_find(const struct image *image, struct slice key, struct slice *value)
{
	size_t low = 0, high = image->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = compare_keys(key, image_key(image, middle));

		if (order == 0) {
			*value = image_value(image, middle);
			return true;
		}
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return false;
}

void
image_free(struct image *image)
{
	free(image->entries);
	buf_free(&image->data);
	*image = (struct image){ 0 };
}
