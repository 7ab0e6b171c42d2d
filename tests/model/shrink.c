/* SPDX-License-Identifier: BSD-2-Clause */
/* From a sequence with a difference to one that a person can read: delta
 * debugging (Zeller and Hildebrandt, 2002), greedily. */
#include <stdlib.h>
#include <string.h>

#include "model/differential.h"

static bool remove_some(uint8_t *bytes, size_t *n, size_t chunk, enum model_fault fault)
{
	uint8_t *shorter = malloc(*n + 1);
	bool removed = false;

	for (size_t at = 0; at + chunk <= *n;) {
		memcpy(shorter, bytes, at);
		memcpy(shorter + at, bytes + at + chunk, *n - at - chunk);
		if (differential_run(shorter, *n - chunk, fault, NULL)) {
			*n -= chunk;
			memcpy(bytes, shorter, *n);
			removed = true;
		} else {
			at += OPERATION_BYTES;
		}
	}
	free(shorter);
	return removed;
}

static bool simplify_some(uint8_t *bytes, size_t n, enum model_fault fault)
{
	bool simplified = false;

	for (size_t i = 0; i < n; i++) {
		const uint8_t old = bytes[i];
		const uint8_t simpler[] = { 0, old % 32, old / 2, (uint8_t)(old - 1) };

		for (size_t k = 0; k < sizeof(simpler) && bytes[i] == old; k++) {
			if (simpler[k] >= old)
				continue;
			bytes[i] = simpler[k];
			if (!differential_run(bytes, n, fault, NULL))
				bytes[i] = old;
		}
		simplified = simplified || bytes[i] != old;
	}
	return simplified;
}

size_t differential_shrink(uint8_t *bytes, size_t n, enum model_fault fault)
{
	bool smaller;

	n -= n % OPERATION_BYTES;
	do {
		smaller = false;
		for (size_t chunk = n / 2; chunk; chunk /= 2) {
			chunk -= chunk % OPERATION_BYTES;
			if (chunk && remove_some(bytes, &n, chunk, fault))
				smaller = true;
		}
		smaller = simplify_some(bytes, n, fault) || smaller;
	} while (smaller);
	return n;
}

void differential_report(const uint8_t *bytes, size_t n, enum model_fault fault, FILE *to)
{
	uint8_t *smallest = malloc(n + 1);

	memcpy(smallest, bytes, n);
	n = differential_shrink(smallest, n, fault);
	fprintf(to, "Library and model differ:\n");
	const char *difference = differential_run(smallest, n, fault, to);
	fprintf(to, "DIFFERENCE: %s\nSee it again: replay-model --hex ", difference);
	for (size_t i = 0; i < n; i++)
		fprintf(to, "%02x", smallest[i]);
	fprintf(to, "\n");
	fflush(to);
	free(smallest);
}
