/* SPDX-License-Identifier: BSD-2-Clause */
/* From a sequence with a difference to one that a person can read: delta
 * debugging (Zeller and Hildebrandt, 2002), greedily. */
#include <stdlib.h>
#include <string.h>

#include "model/differential.h"

/* Take away what is not needed, in pieces of this many bytes. */
static size_t remove_pieces(uint8_t *bytes, size_t n, size_t piece, enum model_fault fault)
{
	uint8_t *shorter = malloc(n);

	for (size_t at = 0; at + piece <= n;) {
		memcpy(shorter, bytes, at);
		memcpy(shorter + at, bytes + at + piece, n - at - piece);
		if (differential_run(shorter, n - piece, fault, NULL)) {
			n -= piece;
			memcpy(bytes, shorter, n);
		} else {
			at += OPERATION_BYTES;
		}
	}
	free(shorter);
	return n;
}

/* Whether this byte can be that one instead. */
static bool replace(uint8_t *bytes, size_t n, size_t i, uint8_t simpler, enum model_fault fault)
{
	uint8_t old = bytes[i];

	bytes[i] = simpler;
	if (simpler < old && differential_run(bytes, n, fault, NULL))
		return true;
	bytes[i] = old;
	return false;
}

static void simplify_bytes(uint8_t *bytes, size_t n, enum model_fault fault)
{
	for (size_t i = 0; i < n; i++)
		while (replace(bytes, n, i, 0, fault) ||
		       replace(bytes, n, i, bytes[i] % 64, fault) ||
		       replace(bytes, n, i, bytes[i] % 32, fault) ||
		       replace(bytes, n, i, bytes[i] / 2, fault) ||
		       replace(bytes, n, i, (uint8_t)(bytes[i] - 1), fault))
			;
}

size_t differential_shrink(uint8_t *bytes, size_t n, enum model_fault fault)
{
	size_t before;

	n -= n % OPERATION_BYTES;
	do {
		before = n;
		differential_name_actors(bytes, n, fault);
		for (size_t half = n / OPERATION_BYTES / 2; half > 0; half /= 2)
			n = remove_pieces(bytes, n, half * OPERATION_BYTES, fault);
		simplify_bytes(bytes, n, fault);
	} while (n < before);
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
