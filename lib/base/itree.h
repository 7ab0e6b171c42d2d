/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Intrusive interval tree: an AVL tree of ranges [start, end) ordered by
 * start, each node augmented with the largest end of its subtree, so that the
 * ranges which overlap a given one are found in O(log n) each.
 *
 * Several nodes may carry the same range; among equal starts the order is
 * that of insertion.  The tree allocates nothing and takes no lock.  It knows
 * nothing of requests, modes or waiting.
 *
 * The tree is Adelson-Velsky and Landis (1962); the augmentation is that of
 * Cormen, Leiserson, Rivest and Stein, Introduction to Algorithms, "Interval
 * trees".
 */
#ifndef RL_BASE_ITREE_H
#define RL_BASE_ITREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct itree_node {
	uint64_t start, end; /* not changed while in a tree */
	uint64_t max_end;    /* largest end in this subtree, own included */
	struct itree_node *left, *right, *parent;
	unsigned height; /* of this subtree; a leaf has 1 */
};

struct itree {
	struct itree_node *root; /* NULL = empty; all-zero is valid */
};

/* Half-open: ranges that only touch do not overlap. */
static inline bool itree_overlaps(const struct itree_node *n, uint64_t start, uint64_t end)
{
	return n->start < end && start < n->end;
}

static inline bool itree_empty(const struct itree *tree)
{
	return tree->root == NULL;
}

/* Insert node; its start and end are set, the rest is overwritten. */
void rl_itree_insert(struct itree *tree, struct itree_node *node);

/* Remove node, which is in the tree. */
void rl_itree_remove(struct itree *tree, struct itree_node *node);

/* The first node, in tree order, that overlaps [start, end), or NULL. */
struct itree_node *rl_itree_first(const struct itree *tree, uint64_t start, uint64_t end);

/* The next one after node, which overlaps [start, end) itself. */
struct itree_node *rl_itree_next(const struct itree_node *node, uint64_t start, uint64_t end);

#endif
