/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The library against the model (model.h), call by call, in one thread.
 *
 * A sequence of operations (operation.h) is an array of bytes, and every array of
 * bytes is a sequence (what is left of a last operation is no matter, nor what lies
 * beyond some thousand operations): random tests
 * and fuzzers are served by the same decoder.  Actors are fibers.  A call that must
 * wait ends up in rl_wait->sleep, which here gives the thread back; so who goes on,
 * whose deadline passes and who wakes up for nothing is up to the sequence.  After
 * every operation all that can be seen of the library is compared with the model.
 *
 * Not here: what two threads do inside the library at once.
 */
#ifndef TESTS_DIFFERENTIAL_H
#define TESTS_DIFFERENTIAL_H

#include <stddef.h>
#include <stdio.h>

#include "model/model.h"
#include "model/operation.h"

/* Run a sequence.  NULL, or what the first difference is; it stays valid until
 * the next run.  What happens is told to log, if there is one. */
const char *differential_run(const uint8_t *bytes, size_t n, enum model_fault fault, FILE *log);

/* Let each operation name the actor whom it turned out to be about, so that it is
 * about the same when other operations are taken away. */
void differential_name_actors(uint8_t *bytes, size_t n, enum model_fault fault);

/* Make a sequence with a difference as small as can be; its new length. */
size_t differential_shrink(uint8_t *bytes, size_t n, enum model_fault fault);

/* Tell, shrunk and readably, what differs in this sequence, and how to see it
 * again. */
void differential_report(const uint8_t *bytes, size_t n, enum model_fault fault, FILE *to);

#endif
