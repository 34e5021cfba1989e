/* Metrics as text: OpenMetrics 1.0, the older Prometheus text format 0.0.4, or JSON, from the same
 * calls. Any thread; not two at once on the same struct.
 *
 *	metric_family(&x, METRIC_COUNTER, "procd_events", NULL, "Events that were sent.");
 *	metric_uint(&x, "_total", 17);
 *
 * A family is begun before its samples and its name is given without the suffix of its type. Labels
 * stay until they are cleared or a family begins. */
#ifndef METRICS_EXPOSITION_H
#define METRICS_EXPOSITION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/enumtext.h"
#include "base/strbuf.h"

enum exposition_format { EXPOSITION_OPENMETRICS, EXPOSITION_PROMETHEUS, EXPOSITION_JSON };
extern const struct enumtext exposition_format_text;	/* "openmetrics", "prometheus", "json" */
/* For HTTP. */
const char *exposition_content_type(enum exposition_format format);

enum metric_type { METRIC_GAUGE, METRIC_COUNTER, METRIC_HISTOGRAM };

struct exposition {
	enum exposition_format format;
	struct strbuf *out;
	const char *family;
	enum metric_type type;
	struct strbuf labels;		/* rendered, with their commas */
	bool embedded, any_family, any_sample;
};

/* EMBEDDED: text is to stand in a JSON string, and is escaped as such. */
void exposition_begin(struct exposition *x, enum exposition_format format, bool embedded,
		      struct strbuf *out);
void exposition_end(struct exposition *x);	/* "# EOF", or the last bracket; frees what X has */

/* UNIT: the last word of NAME, or NULL. The strings must stay. */
void metric_family(struct exposition *x, enum metric_type type, const char *name, const char *unit,
		   const char *help);
void metric_labels_clear(struct exposition *x);
/* The first N labels stay: the mark is what metric_labels_mark() returned. */
size_t metric_labels_mark(const struct exposition *x);
void metric_labels_back(struct exposition *x, size_t mark);
void metric_label(struct exposition *x, const char *key, const char *value);	/* escaped here */
/* SUFFIX "" or "_total". */
void metric_uint(struct exposition *x, const char *suffix, uint64_t value);
void metric_micro(struct exposition *x, const char *suffix, uint64_t micro);	/* value = micro / 10^6 */

/* A whole histogram: COUNTS has N + 1 numbers, the last for what is above the last of BOUNDS_US. */
void metric_histogram(struct exposition *x, const uint32_t *bounds_us, size_t n,
		      const uint64_t *counts, uint64_t sum_us);

#endif
