/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SVG by hand: a picture is a grid of panels, one for each setting of a workload, with one
 * legend.  A panel has two axes, each linear or logarithmic, and a line for each lock.
 */
#include "bench/plot.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/args.h"

enum { MOST = 32, MOST_POINTS = 64 };
enum { PANEL_W = 420, PANEL_H = 300, LEFT = 64, RIGHT = 14, TOP = 34, BOTTOM = 42 };
enum { LEGEND_H = 22, HEAD_H = 40, COLUMNS = 3 };

/* One of each lock in the order of the results; told apart without colours by their marks. */
static const char *const colours[] = { "#1f5fbf", "#d1495b", "#2e8b57", "#e08e0b", "#6a4c93",
				       "#008b9a", "#8d6e63", "#c2185b", "#556b2f", "#3949ab",
				       "#b8860b", "#00695c", "#ad1457", "#5d4037", "#616161" };
enum { COLOURS = sizeof(colours) / sizeof(colours[0]), MARKS = 4 };

struct point {
	double x, y, low, high;
};

struct line {
	struct point points[MOST_POINTS];
	unsigned n;
};

struct panel {
	char title[96];
	struct line lines[MOST]; /* by lock */
};

/* What all panels of a picture share. */
struct picture {
	const char *title, *x_label, *y_label;
	bool log_x, log_y, bars, percentiles;
	const char *locks[MOST];
	unsigned n_locks;
	struct panel *panels[MOST];
	unsigned n_panels;
	double x_min, x_max, y_min, y_max;
};

/* ---- Results ---- */

static const char *text_of(const json_t *result, const char *key)
{
	const char *text = json_string_value(json_object_get(result, key));

	return text ? text : "";
}

static double number_of(const json_t *result, const char *key, const char *part)
{
	return json_number_value(json_object_get(json_object_get(result, key), part));
}

static double threads_of(const json_t *result)
{
	return json_number_value(json_object_get(result, "threads"));
}

/* The number behind the '=' of a parameter, as in held=50. */
static double number_in(const char *param)
{
	const char *equals = strchr(param, '=');

	return equals ? strtod(equals + 1, NULL) : 0;
}

static unsigned lock_index(struct picture *p, const char *name)
{
	for (unsigned i = 0; i < p->n_locks; i++)
		if (strcmp(p->locks[i], name) == 0)
			return i;
	if (p->n_locks == MOST)
		return MOST - 1;
	p->locks[p->n_locks] = name;
	return p->n_locks++;
}

static struct panel *panel_of(struct picture *p, const char *title)
{
	for (unsigned i = 0; i < p->n_panels; i++)
		if (strcmp(p->panels[i]->title, title) == 0)
			return p->panels[i];
	if (p->n_panels == MOST)
		return p->panels[MOST - 1];
	struct panel *panel = calloc(1, sizeof(*panel));
	if (!panel)
		bad_option("--plot", "out of memory");
	snprintf(panel->title, sizeof(panel->title), "%s", title);
	return p->panels[p->n_panels++] = panel;
}

static void widen(double *min, double *max, double value)
{
	if (value < *min)
		*min = value;
	if (value > *max)
		*max = value;
}

static void add_point(struct picture *p, struct panel *panel, unsigned lock, struct point at)
{
	struct line *line = &panel->lines[lock];

	if (line->n == MOST_POINTS || (p->log_x && at.x <= 0) || (p->log_y && at.low <= 0))
		return;
	line->points[line->n++] = at;
	widen(&p->x_min, &p->x_max, at.x);
	widen(&p->y_min, &p->y_max, at.low);
	widen(&p->y_min, &p->y_max, at.high);
}

/* ---- Axes ---- */

static double scale(double value, double min, double max, bool is_log)
{
	if (is_log)
		return (log10(value) - log10(min)) / (log10(max) - log10(min));
	return (value - min) / (max - min);
}

static double x_at(const struct picture *p, double x)
{
	return LEFT + scale(x, p->x_min, p->x_max, p->log_x) * (PANEL_W - LEFT - RIGHT);
}

static double y_at(const struct picture *p, double y)
{
	return PANEL_H - BOTTOM - scale(y, p->y_min, p->y_max, p->log_y) * (PANEL_H - TOP - BOTTOM);
}

/* 1500 as 1.5k. */
static const char *short_number(double value, char *ret_text, size_t size)
{
	static const char *const units[] = { "", "k", "M", "G", "T" };
	unsigned unit = 0;

	while (fabs(value) >= 1000 && unit < 4) {
		value /= 1000;
		unit++;
	}
	snprintf(ret_text, size, "%.3g%s", value, units[unit]);
	return ret_text;
}

/* 1, 2 or 5 of some power of ten, so that there are about five ticks. */
static double step_of(double span)
{
	double power = pow(10, floor(log10(span / 5))), part = span / 5 / power;

	return power * (part < 1.5 ? 1 : part < 3.5 ? 2 : part < 7.5 ? 5 : 10);
}

static void frame_axes(struct picture *p)
{
	if (p->x_max <= p->x_min) {
		p->x_min -= p->log_x ? p->x_min / 2 : 0.5;
		p->x_max += p->log_x ? p->x_max : 0.5;
	} else if (!p->log_x && !p->bars) {
		p->x_min -= (p->x_max - p->x_min) * 0.04;
		p->x_max += (p->x_max - p->x_min) * 0.04;
	}
	if (p->log_y) {
		p->y_min = pow(10, floor(log10(p->y_min)));
		p->y_max = pow(10, ceil(log10(p->y_max)));
		if (p->y_max <= p->y_min)
			p->y_max = 10 * p->y_min;
	} else {
		p->y_min = 0;
		p->y_max *= 1.05;
	}
}

static void tick_y(FILE *out, const struct picture *p, double y)
{
	char text[32];

	fprintf(out,
		"<line class=\"grid\" x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\"/>"
		"<text class=\"tick\" x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%s</text>\n",
		LEFT, PANEL_W - RIGHT, y_at(p, y), y_at(p, y), LEFT - 6, y_at(p, y) + 4,
		short_number(y, text, sizeof(text)));
}

static void tick_x(FILE *out, const struct picture *p, double x, const char *text)
{
	fprintf(out,
		"<line class=\"grid\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%d\" y2=\"%d\"/>"
		"<text class=\"tick\" x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%s</text>\n",
		x_at(p, x), x_at(p, x), TOP, PANEL_H - BOTTOM, x_at(p, x), PANEL_H - BOTTOM + 16,
		text);
}

/* Percentiles lie at 1 / (1 - quantile), so that each nine takes the same room. */
static void ticks_of_percentiles(FILE *out, const struct picture *p)
{
	static const struct {
		double quantile;
		const char *text;
	} ticks[] = { { 0, "0" },
		      { 0.5, "50" },
		      { 0.9, "90" },
		      { 0.99, "99" },
		      { 0.999, "99.9" },
		      { 0.9999, "99.99" },
		      { 0.99999, "5 nines" },
		      { 0.999999, "6 nines" } };

	for (unsigned i = 0; i < sizeof(ticks) / sizeof(ticks[0]); i++) {
		double x = 1 / (1 - ticks[i].quantile);

		if (x <= p->x_max * 1.01)
			tick_x(out, p, x, ticks[i].text);
	}
}

/* Where the points are, as long as their texts have room. */
static void ticks_at_points(FILE *out, const struct picture *p, const struct panel *panel)
{
	double last = -1e9;
	char text[32];
	const struct line *longest = &panel->lines[0];

	for (unsigned i = 1; i < p->n_locks; i++)
		if (panel->lines[i].n > longest->n)
			longest = &panel->lines[i];
	for (unsigned i = 0; i < longest->n; i++) {
		double x = longest->points[i].x;

		if (x_at(p, x) - last < 26)
			continue;
		last = x_at(p, x);
		/* On a logarithmic axis 0 lies at 1 (see add_held). */
		tick_x(out, p, x, short_number(p->log_x && x == 1 ? 0 : x, text, sizeof(text)));
	}
}

static void draw_axes(FILE *out, const struct picture *p, const struct panel *panel)
{
	if (p->log_y)
		for (double y = p->y_min; y <= p->y_max * 1.01; y *= 10)
			tick_y(out, p, y);
	else
		for (double y = 0, step = step_of(p->y_max); y <= p->y_max; y += step)
			tick_y(out, p, y);
	if (p->percentiles)
		ticks_of_percentiles(out, p);
	else if (!p->bars)
		ticks_at_points(out, p, panel);
	fprintf(out, "<rect class=\"frame\" x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\"/>\n", LEFT,
		TOP, PANEL_W - LEFT - RIGHT, PANEL_H - TOP - BOTTOM);
	fprintf(out, "<text class=\"label\" x=\"%d\" y=\"%d\" text-anchor=\"middle\">%s</text>\n",
		(PANEL_W + LEFT - RIGHT) / 2, PANEL_H - 8, p->x_label);
	fprintf(out,
		"<text class=\"label\" transform=\"translate(14 %d) rotate(-90)\" "
		"text-anchor=\"middle\">%s</text>\n",
		(PANEL_H + TOP - BOTTOM) / 2, p->y_label);
}

/* ---- Lines ---- */

static void draw_mark(FILE *out, double x, double y, unsigned lock)
{
	const char *colour = colours[lock % COLOURS];

	switch (lock % MARKS) {
	case 0:
		fprintf(out, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"3.2\" fill=\"%s\"/>", x, y,
			colour);
		break;
	case 1:
		fprintf(out, "<rect x=\"%.1f\" y=\"%.1f\" width=\"6\" height=\"6\" fill=\"%s\"/>",
			x - 3, y - 3, colour);
		break;
	case 2:
		fprintf(out, "<path d=\"M%.1f %.1fl4 7h-8z\" fill=\"%s\"/>", x, y - 4.5, colour);
		break;
	default:
		fprintf(out, "<path d=\"M%.1f %.1fl4 4l-4 4l-4 -4z\" fill=\"%s\"/>", x, y - 4,
			colour);
	}
}

static void draw_spread(FILE *out, double x, double low, double high, unsigned lock)
{
	fprintf(out,
		"<path class=\"spread\" d=\"M%.1f %.1fV%.1fM%.1f %.1fh6M%.1f %.1fh6\" "
		"stroke=\"%s\"/>",
		x, low, high, x - 3, low, x - 3, high, colours[lock % COLOURS]);
}

static void draw_line(FILE *out, const struct picture *p, const struct line *line, unsigned lock)
{
	if (line->n == 0)
		return;
	fprintf(out, "<polyline class=\"line\" stroke=\"%s\" points=\"", colours[lock % COLOURS]);
	for (unsigned i = 0; i < line->n; i++)
		fprintf(out, "%.1f,%.1f ", x_at(p, line->points[i].x), y_at(p, line->points[i].y));
	fputs("\"/>\n", out);
	for (unsigned i = 0; i < line->n; i++) {
		const struct point *at = &line->points[i];
		double x = x_at(p, at->x);

		if (at->high > at->low)
			draw_spread(out, x, y_at(p, at->low), y_at(p, at->high), lock);
		if (!p->percentiles)
			draw_mark(out, x, y_at(p, at->y), lock);
	}
	fputc('\n', out);
}

/* One for each lock, side by side. */
static void draw_bar(FILE *out, const struct picture *p, const struct line *line, unsigned lock)
{
	double width = (double)(PANEL_W - LEFT - RIGHT) / p->n_locks;
	double x = LEFT + lock * width;

	if (line->n == 0)
		return;
	const struct point *at = &line->points[0];
	fprintf(out, "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" fill=\"%s\"/>",
		x + width * 0.15, y_at(p, at->y), width * 0.7, PANEL_H - BOTTOM - y_at(p, at->y),
		colours[lock % COLOURS]);
	fprintf(out, "<path class=\"spread\" d=\"M%.1f %.1fV%.1f\" stroke=\"#222\"/>\n",
		x + width / 2, y_at(p, at->low), y_at(p, at->high));
}

/* ---- Pictures ---- */

static void draw_legend(FILE *out, const struct picture *p, unsigned per_row)
{
	for (unsigned i = 0; i < p->n_locks; i++) {
		double x = 20 + (i % per_row) * 140, y = HEAD_H + (i / per_row) * LEGEND_H;

		draw_mark(out, x, y, i);
		fprintf(out, "<text class=\"lock\" x=\"%.1f\" y=\"%.1f\">%s</text>\n", x + 10,
			y + 4, p->locks[i]);
	}
}

static FILE *open_picture(const char *dir, const char *workload, const char *kind)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/%s-%s.svg", dir, workload, kind);
	FILE *out = fopen(path, "we");
	if (!out)
		bad_option("--plot", "cannot write '%s': %s", path, strerror(errno));
	return out;
}

static void draw_picture(const char *dir, const char *workload, const char *kind, struct picture *p)
{
	unsigned columns = p->n_panels < COLUMNS ? p->n_panels : COLUMNS;
	unsigned rows = (p->n_panels + columns - 1) / columns;
	unsigned width = columns * PANEL_W > 460 ? columns * PANEL_W : 460;
	unsigned per_row = (width - 20) / 140;
	unsigned top = HEAD_H + (p->n_locks + per_row - 1) / per_row * LEGEND_H;
	FILE *out = open_picture(dir, workload, kind);

	frame_axes(p);
	fprintf(out,
		"<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%u\" height=\"%u\" "
		"viewBox=\"0 0 %u %u\" font-family=\"sans-serif\" font-size=\"11\">\n"
		"<style>.grid{stroke:#ddd;stroke-width:.6}.frame{fill:none;stroke:#555}"
		".line{fill:none;stroke-width:1.6}.spread{fill:none;stroke-width:1}"
		".tick{fill:#444}.label{fill:#222}.title{font-size:12px;font-weight:bold}"
		".lock{font-size:12px}</style>\n"
		"<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>\n"
		"<text x=\"12\" y=\"20\" font-size=\"15\" font-weight=\"bold\">%s: %s</text>\n",
		width, top + rows * PANEL_H, width, top + rows * PANEL_H, workload, p->title);
	draw_legend(out, p, per_row);
	for (unsigned i = 0; i < p->n_panels; i++) {
		const struct panel *panel = p->panels[i];

		fprintf(out, "<g transform=\"translate(%u %u)\">\n", i % columns * PANEL_W,
			top + i / columns * PANEL_H);
		fprintf(out, "<text class=\"title\" x=\"%d\" y=\"24\">%s</text>\n", LEFT,
			panel->title);
		draw_axes(out, p, panel);
		for (unsigned lock = 0; lock < p->n_locks; lock++)
			(p->bars ? draw_bar : draw_line)(out, p, &panel->lines[lock], lock);
		fputs("</g>\n", out);
	}
	fputs("</svg>\n", out);
	if (ferror(out) || fclose(out) != 0)
		bad_option("--plot", "cannot write the picture of %s: %s", workload,
			   strerror(errno));
}

static void forget_panels(struct picture *p)
{
	for (unsigned i = 0; i < p->n_panels; i++)
		free(p->panels[i]);
}

static struct picture blank(const char *title, const char *x_label, const char *y_label)
{
	return (struct picture){ .title = title,
				 .x_label = x_label,
				 .y_label = y_label,
				 .x_min = INFINITY,
				 .x_max = -INFINITY,
				 .y_min = INFINITY,
				 .y_max = -INFINITY };
}

static bool is_of(const json_t *result, const char *workload)
{
	return strcmp(text_of(result, "workload"), workload) == 0;
}

static void plot_throughput(const char *dir, const json_t *results, const char *workload)
{
	struct picture p = blank("throughput, medians with min and max", "threads", "ops/s");
	const json_t *result;
	size_t i;

	json_array_foreach(results, i, result)
	{
		if (!is_of(result, workload))
			continue;
		struct point at = { threads_of(result), number_of(result, "ops_per_s", "median"),
				    number_of(result, "ops_per_s", "min"),
				    number_of(result, "ops_per_s", "max") };
		/* Settings that bring their threads are points of one line. */
		bool oversub = strcmp(workload, "oversub") == 0;
		add_point(&p, panel_of(&p, oversub ? "" : text_of(result, "param")),
			  lock_index(&p, text_of(result, "lock")), at);
	}
	p.bars = p.x_max <= p.x_min;
	if (p.bars)
		p.x_label = "locks";
	if (p.n_panels)
		draw_picture(dir, workload, "throughput", &p);
	forget_panels(&p);
}

static void plot_over_number(const char *dir, const json_t *results, const char *workload,
			     const char *title, const char *x_label)
{
	struct picture p = blank(title, x_label, "ns");
	const json_t *result;
	size_t i;

	p.log_x = p.log_y = true;
	json_array_foreach(results, i, result)
	{
		if (!is_of(result, workload))
			continue;
		const char *param = text_of(result, "param");
		double n = number_in(param);
		struct point at = { n > 0 ? n : 1, number_of(result, "ns_per_op", "median"),
				    number_of(result, "ns_per_op", "min"),
				    number_of(result, "ns_per_op", "max") };
		char kind[64]; /* what stands before "held" or the like */
		const char *space = strchr(param, ' ');

		snprintf(kind, sizeof(kind), "%.*s", space ? (int)(space - param) : 0, param);
		add_point(&p, panel_of(&p, kind), lock_index(&p, text_of(result, "lock")), at);
	}
	if (p.n_panels)
		draw_picture(dir, workload, "throughput", &p);
	forget_panels(&p);
}

static void add_curve(struct picture *p, struct panel *panel, unsigned lock, const json_t *curve)
{
	const json_t *pair;
	size_t i;

	json_array_foreach(curve, i, pair)
	{
		double quantile = json_number_value(json_array_get(pair, 0));
		double value = json_number_value(json_array_get(pair, 1));

		if (quantile < 1)
			add_point(p, panel, lock,
				  (struct point){ 1 / (1 - quantile), value, value, value });
	}
}

static void plot_latency(const char *dir, const json_t *results, const char *workload)
{
	struct picture p = blank("latency of an acquisition", "percentile", "ns");
	const json_t *result;
	size_t i;

	p.log_x = p.log_y = p.percentiles = true;
	json_array_foreach(results, i, result)
	{
		json_t *curve = json_object_get(json_object_get(result, "latency_ns"), "curve");
		char title[96];

		if (!is_of(result, workload) || !curve)
			continue;
		snprintf(title, sizeof(title), "%s%s%.0f thread%s", text_of(result, "param"),
			 *text_of(result, "param") ? ", " : "", threads_of(result),
			 threads_of(result) > 1 ? "s" : "");
		add_curve(&p, panel_of(&p, title), lock_index(&p, text_of(result, "lock")), curve);
	}
	if (p.n_panels && p.x_max > p.x_min)
		draw_picture(dir, workload, "latency", &p);
	forget_panels(&p);
}

void plot_check(const char *dir)
{
	if (mkdir(dir, 0777) != 0 && errno != EEXIST)
		bad_option("--plot", "cannot make '%s': %s", dir, strerror(errno));
	FILE *probe = open_picture(dir, "probe", "only");
	char path[4096];
	fclose(probe);
	snprintf(path, sizeof(path), "%s/probe-only.svg", dir);
	remove(path);
}

void plot_results(const char *dir, const json_t *results)
{
	const json_t *result;
	const char *last = "";
	size_t i;

	json_array_foreach(results, i, result)
	{ /* those of one workload lie together */
		const char *workload = text_of(result, "workload");

		if (strcmp(workload, last) == 0 || !*workload || strchr(workload, '/'))
			continue;
		last = workload;
		if (strcmp(workload, "held") == 0)
			plot_over_number(dir, results, workload, "a pair among so many others",
					 "other ranges held");
		else if (strcmp(workload, "wake") == 0)
			plot_over_number(dir, results, workload,
					 "hand-off, medians with min and max", "sleepers");
		else if (strcmp(workload, "burst-timeout") == 0)
			plot_over_number(dir, results, workload, "time for each that gives up",
					 "waiters");
		else
			plot_throughput(dir, results, workload);
		plot_latency(dir, results, workload);
	}
}
