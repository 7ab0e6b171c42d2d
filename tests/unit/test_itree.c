/* SPDX-License-Identifier: BSD-2-Clause */
/* The interval tree against a naive model, every value of every node checked
 * after every operation. */
#include <stdlib.h>

#include "common/random.h"
#include "support/suite.h"
#include "base/itree.h"

enum { MOST = 128 };

struct model {
	struct itree tree;
	struct itree_node nodes[MOST];
	bool in_tree[MOST];
	int inserted;
};

struct facts {
	unsigned height;
	uint64_t max_end;
	uint8_t marks;
	int nodes;
};

/* Check T1 to T5 and the links of n's subtree, from the definition. */
static struct facts check_subtree(const struct itree_node *n, const struct itree_node *parent,
				  uint64_t low, uint64_t high)
{
	if (!n)
		return (struct facts){ 0, 0, 0, 0 };

	must(n->parent == parent);
	must(low <= n->start && n->start <= high);
	struct facts l = check_subtree(n->left, n, low, n->start);
	struct facts r = check_subtree(n->right, n, n->start, high);

	unsigned difference = l.height > r.height ? l.height - r.height : r.height - l.height;
	must(difference <= 1);

	struct facts all = { 1 + (l.height > r.height ? l.height : r.height), n->end,
			     n->mark | l.marks | r.marks, 1 + l.nodes + r.nodes };
	if (l.max_end > all.max_end)
		all.max_end = l.max_end;
	if (r.max_end > all.max_end)
		all.max_end = r.max_end;
	must(n->height == all.height);
	must(n->max_end == all.max_end);
	must(n->marks == all.marks);
	return all;
}

static void check_tree(const struct model *m)
{
	struct facts facts = check_subtree(m->tree.root, NULL, 0, UINT64_MAX);

	must(facts.nodes == m->inserted);
	must(itree_empty(&m->tree) == (m->inserted == 0));
}

static bool overlaps(const struct itree_node *n, uint64_t start, uint64_t end)
{
	return n->start < end && start < n->end;
}

/* Compare a query with a look at every node. */
static void check_query(const struct model *m, uint64_t start, uint64_t end, uint8_t mask)
{
	int expected = 0, found = 0;
	const struct itree_node *last = NULL;

	for (int i = 0; i < MOST; i++)
		expected += m->in_tree[i] && m->nodes[i].mark & mask &&
			    overlaps(&m->nodes[i], start, end);
	for (const struct itree_node *n = rl_itree_first(&m->tree, start, end, mask); n;
	     n = rl_itree_next(n, start, end, mask)) {
		must(overlaps(n, start, end) && n->mark & mask);
		must(!last || last->start <= n->start);
		last = n;
		found++;
	}
	must(found == expected);
}

/* Ranges of all sizes, some equal, some that only touch, some to the very end. */
static void random_range(struct rng *rng, uint64_t *start, uint64_t *end)
{
	uint64_t space = rng_one_in(rng, 4) ? 16 : 4096;
	uint64_t length = 1 + rng_below(rng, rng_one_in(rng, 8) ? space : 16);

	*start = rng_below(rng, space);
	*end = rng_one_in(rng, 32) ? UINT64_MAX : *start + length;
}

/* Mostly the same one, so that others are rare. */
static uint8_t random_mark(struct rng *rng)
{
	return (uint8_t)(rng_one_in(rng, 8) ? 1 + rng_below(rng, 255) : 1);
}

START_TEST(random_operations_keep_every_augmented_value)
{
	struct rng rng = rng_make(test_seed(), 0);
	struct model *m = calloc(1, sizeof(*m));
	int target = 0;

	for (uint64_t step = 0; step < scaled(1000000); step++) {
		if (step % 1000 == 0) /* grow and shrink, down to empty */
			target = (int)rng_below(&rng, MOST + 1);

		int i = (int)rng_below(&rng, MOST);
		bool grow = m->inserted < target || (m->inserted == target && !m->in_tree[i]);
		while (m->in_tree[i] == grow && (grow ? m->inserted < MOST : m->inserted > 0))
			i = (i + 1) % MOST;

		if (m->in_tree[i]) {
			rl_itree_remove(&m->tree, &m->nodes[i]);
			m->inserted--;
		} else {
			random_range(&rng, &m->nodes[i].start, &m->nodes[i].end);
			m->nodes[i].mark = random_mark(&rng);
			rl_itree_insert(&m->tree, &m->nodes[i]);
			m->inserted++;
		}
		m->in_tree[i] = !m->in_tree[i];
		i = (int)rng_below(&rng, MOST);
		if (m->in_tree[i])
			rl_itree_remark(&m->nodes[i], random_mark(&rng));
		check_tree(m);

		uint64_t start, end;
		random_range(&rng, &start, &end);
		check_query(m, start, end, random_mark(&rng));
		check_query(m, start, end, ITREE_ANY);
	}
	free(m);
}
END_TEST

START_TEST(sorted_insertions_stay_balanced)
{
	enum { MANY = 4096 };
	struct itree tree = { NULL };
	struct itree_node *nodes = calloc(MANY, sizeof(*nodes));

	for (uint64_t i = 0; i < MANY; i++) {
		nodes[i].start = i;
		nodes[i].end = i + 1;
		nodes[i].mark = 1;
		rl_itree_insert(&tree, &nodes[i]);
	}
	/* AVL: at most 1.44 log2(n + 2). */
	ck_assert_uint_le(tree.root->height, 17);
	ck_assert_int_eq(check_subtree(tree.root, NULL, 0, UINT64_MAX).nodes, MANY);
	for (uint64_t i = 0; i < MANY; i++)
		rl_itree_remove(&tree, &nodes[i]);
	ck_assert(itree_empty(&tree));
	free(nodes);
}
END_TEST

START_TEST(equal_starts_come_in_order_of_insertion)
{
	struct itree tree = { NULL };
	struct itree_node nodes[20];

	for (int i = 0; i < 20; i++) {
		nodes[i] =
		    (struct itree_node){ .start = 5, .end = 6 + (uint64_t)(i % 3), .mark = 1 };
		rl_itree_insert(&tree, &nodes[i]);
	}
	int i = 0;
	for (struct itree_node *n = rl_itree_first(&tree, 5, 6, 1); n;
	     n = rl_itree_next(n, 5, 6, 1))
		ck_assert_ptr_eq(n, &nodes[i++]);
	ck_assert_int_eq(i, 20);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("itree");
	TCase *tc = tcase_create("itree");

	tcase_set_timeout(tc, 300);
	tcase_add_test(tc, random_operations_keep_every_augmented_value);
	tcase_add_test(tc, sorted_insertions_stay_balanced);
	tcase_add_test(tc, equal_starts_come_in_order_of_insertion);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
