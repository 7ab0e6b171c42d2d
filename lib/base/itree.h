/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Intrusive interval tree: an AVL tree of ranges [start, end) ordered by
 * start, each node augmented with the largest end of its subtree, so that the
 * ranges which overlap a given one are found in O(log n) each; and with the marks of
 * its subtree, so that a search for some marks passes over what has none of them.
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
	uint8_t height; /* of this subtree; a leaf has 1 */
	uint8_t mark;	/* what kind of node this is, in bits of the user's choice; not 0 */
	uint8_t marks;	/* of this subtree, own included */
};

#define ITREE_ANY 0xff /* as a mask: every node */

struct itree {
	struct itree_node *root; /* NULL = empty; all-zero is valid */
};

static inline bool itree_empty(const struct itree *tree)
{
	return tree->root == NULL;
}

/* Insert node; its start, end and mark are set, the rest is overwritten. */
void rl_itree_insert(struct itree *tree, struct itree_node *node);

/* Remove node, which is in the tree. */
void rl_itree_remove(struct itree *tree, struct itree_node *node);

/* Change the mark of node, which is in a tree. */
void rl_itree_remark(struct itree_node *node, uint8_t mark);

/* The first node, in tree order, that overlaps [start, end) and has a mark of mask, or
 * NULL.  Ranges are half-open: those that only touch do not overlap. */
struct itree_node *rl_itree_first(const struct itree *tree, uint64_t start, uint64_t end,
				  uint8_t mask);

/* The next one after node, which is in a tree. */
struct itree_node *rl_itree_next(const struct itree_node *node, uint64_t start, uint64_t end,
				 uint8_t mask);

#endif
