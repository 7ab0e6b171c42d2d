/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The interval tree of itree.h.
 *
 * Invariants, of every node n between two calls:
 *
 *   T1  order:   starts in n->left <= n->start <= starts in n->right
 *   T2  balance: the heights of n's two subtrees differ by at most 1
 *   T3  height:  n->height = 1 + the larger height of the two
 *   T4  max_end: the largest of n->end and both children's max_end
 *   T5  marks:   n->mark and both children's marks
 *
 * Both insertion and removal change one path to the root.  One walk, mend(),
 * restores T2 to T5 along it, and stops where nothing changes any more:
 * nothing above can then be wrong.
 */
#include "base/itree.h"

static unsigned height(const struct itree_node *n)
{
	return n ? n->height : 0;
}

/* Restore T3 to T5 of n from its children.  Returns whether n changed. */
static bool update(struct itree_node *n)
{
	unsigned l = height(n->left), r = height(n->right);
	unsigned h = 1 + (l > r ? l : r);
	uint64_t max_end = n->end;
	uint8_t marks = n->mark;

	if (n->left && n->left->max_end > max_end)
		max_end = n->left->max_end;
	if (n->right && n->right->max_end > max_end)
		max_end = n->right->max_end;
	if (n->left)
		marks |= n->left->marks;
	if (n->right)
		marks |= n->right->marks;

	bool changed = h != n->height || max_end != n->max_end || marks != n->marks;
	n->height = (uint8_t)h;
	n->max_end = max_end;
	n->marks = marks;
	return changed;
}

/* Let new take old's place below parent. */
static void replace_child(struct itree *tree, struct itree_node *parent, struct itree_node *old,
			  struct itree_node *new)
{
	if (!parent)
		tree->root = new;
	else if (parent->left == old)
		parent->left = new;
	else
		parent->right = new;
	if (new)
		new->parent = parent;
}

static struct itree_node *rotate_right(struct itree *tree, struct itree_node *n)
{
	struct itree_node *top = n->left;

	n->left = top->right;
	if (n->left)
		n->left->parent = n;
	replace_child(tree, n->parent, n, top);
	top->right = n;
	n->parent = top;
	update(n);
	update(top);
	return top;
}

static struct itree_node *rotate_left(struct itree *tree, struct itree_node *n)
{
	struct itree_node *top = n->right;

	n->right = top->left;
	if (n->right)
		n->right->parent = n;
	replace_child(tree, n->parent, n, top);
	top->left = n;
	n->parent = top;
	update(n);
	update(top);
	return top;
}

/* Restore T2 at n, whose subtrees are sound.  Returns the top of the subtree. */
static struct itree_node *rebalance(struct itree *tree, struct itree_node *n)
{
	unsigned l = height(n->left), r = height(n->right);

	if (l > r + 1) {
		if (height(n->left->left) < height(n->left->right))
			rotate_left(tree, n->left);
		return rotate_right(tree, n);
	}
	if (r > l + 1) {
		if (height(n->right->right) < height(n->right->left))
			rotate_right(tree, n->right);
		return rotate_left(tree, n);
	}
	return n;
}

/* Restore T2 to T5 from n, the lowest node whose subtrees changed, upwards. */
static void mend(struct itree *tree, struct itree_node *n)
{
	while (n) {
		unsigned old_height = n->height;
		uint64_t old_max_end = n->max_end;
		uint8_t old_marks = n->marks;

		update(n);
		n = rebalance(tree, n);
		if (n->height == old_height && n->max_end == old_max_end && n->marks == old_marks)
			return;
		n = n->parent;
	}
}

void rl_itree_insert(struct itree *tree, struct itree_node *node)
{
	struct itree_node **link = &tree->root, *parent = NULL;

	while (*link) {
		parent = *link;
		link = node->start < parent->start ? &parent->left : &parent->right;
	}
	node->left = node->right = NULL;
	node->parent = parent;
	node->height = 1;
	node->max_end = node->end;
	node->marks = node->mark;
	*link = node;
	mend(tree, parent);
}

void rl_itree_remove(struct itree *tree, struct itree_node *node)
{
	if (!node->left || !node->right) {
		replace_child(tree, node->parent, node, node->left ? node->left : node->right);
		mend(tree, node->parent);
		return;
	}

	/* The successor, which has no left child, takes node's place, ... */
	struct itree_node *next = node->right;
	while (next->left)
		next = next->left;

	struct itree_node *below = next->parent;
	if (below != node) {
		replace_child(tree, below, next, next->right);
		next->right = node->right;
		next->right->parent = next;
	}
	replace_child(tree, node->parent, node, next);
	next->left = node->left;
	next->left->parent = next;

	/* ... with what stood there, for mend() to compare with.  The walk from
	 * below may stop before it comes here, where node's own end is gone. */
	next->height = node->height;
	next->max_end = node->max_end;
	next->marks = node->marks;
	if (below != node)
		mend(tree, below);
	mend(tree, next);
}

void rl_itree_remark(struct itree_node *n, uint8_t mark)
{
	n->mark = mark;
	while (n && update(n))
		n = n->parent;
}

/* Can there be any within the subtree n?  If one has an end beyond start, either it
 * overlaps, or it starts at or after our end, where the search is over. */
static bool promises(const struct itree_node *n, uint64_t start, uint8_t mask)
{
	return n && n->max_end > start && n->marks & mask;
}

/* The first in order of the subtree n, but those that need not be looked at. */
static const struct itree_node *leftmost(const struct itree_node *n, uint64_t start, uint8_t mask)
{
	while (promises(n->left, start, mask))
		n = n->left;
	return n;
}

static const struct itree_node *successor(const struct itree_node *n, uint64_t start, uint8_t mask)
{
	const struct itree_node *child;

	if (promises(n->right, start, mask))
		return leftmost(n->right, start, mask);
	do {
		child = n;
		n = n->parent;
	} while (n && n->right == child);
	return n;
}

/* n, or the next one in order. */
static struct itree_node *first_from(const struct itree_node *n, uint64_t start, uint64_t end,
				     uint8_t mask)
{
	for (; n && n->start < end; n = successor(n, start, mask))
		if (n->end > start && n->mark & mask)
			return (struct itree_node *)(uintptr_t)n;
	return NULL;
}

struct itree_node *rl_itree_first(const struct itree *tree, uint64_t start, uint64_t end,
				  uint8_t mask)
{
	if (!promises(tree->root, start, mask))
		return NULL;
	return first_from(leftmost(tree->root, start, mask), start, end, mask);
}

struct itree_node *rl_itree_next(const struct itree_node *n, uint64_t start, uint64_t end,
				 uint8_t mask)
{
	return first_from(successor(n, start, mask), start, end, mask);
}
