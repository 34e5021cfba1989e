/* Protobuf by hand: a field is its number and wire type as a varint, then a varint or a length and
 * bytes. Repeated messages may stand in any order, so each is appended when it is known; only the
 * string table has an order, and is therefore kept apart until the end. */
#include "profile/cpu_pprof.h"

/* Field numbers of profile.proto. */
enum {
	PROFILE_SAMPLE_TYPE = 1, PROFILE_SAMPLE = 2, PROFILE_MAPPING = 3, PROFILE_LOCATION = 4,
	PROFILE_FUNCTION = 5, PROFILE_STRING_TABLE = 6, PROFILE_TIME_NANOS = 9,
	PROFILE_DURATION_NANOS = 10, PROFILE_PERIOD_TYPE = 11, PROFILE_PERIOD = 12,
	PROFILE_COMMENT = 13, PROFILE_DEFAULT_SAMPLE_TYPE = 14,
};
enum { VALUE_TYPE_TYPE = 1, VALUE_TYPE_UNIT = 2 };
enum { SAMPLE_LOCATION_ID = 1, SAMPLE_VALUE = 2, SAMPLE_LABEL = 3 };
enum { LABEL_KEY = 1, LABEL_STR = 2, LABEL_NUM = 3 };
enum {
	MAPPING_ID = 1, MAPPING_START = 2, MAPPING_LIMIT = 3, MAPPING_OFFSET = 4, MAPPING_FILE = 5,
	MAPPING_BUILD_ID = 6, MAPPING_HAS_FUNCTIONS = 7, MAPPING_HAS_FILENAMES = 8,
	MAPPING_HAS_LINES = 9, MAPPING_HAS_INLINES = 10,
};
enum { LOCATION_ID = 1, LOCATION_MAPPING_ID = 2, LOCATION_ADDRESS = 3, LOCATION_LINE = 4 };
enum { LINE_FUNCTION_ID = 1, LINE_LINE = 2 };
enum {
	FUNCTION_ID = 1, FUNCTION_NAME = 2, FUNCTION_SYSTEM_NAME = 3, FUNCTION_FILENAME = 4,
	FUNCTION_START_LINE = 5,
};
enum { WIRE_VARINT = 0, WIRE_BYTES = 2 };

/* --- the wire ---------------------------------------------------------------------------------- */

static void add_varint(struct strbuf *out, uint64_t value)
{
	char bytes[10];
	size_t n = 0;

	do {
		bytes[n++] = (char)((value & 0x7f) | (value > 0x7f ? 0x80 : 0));
		value >>= 7;
	} while (value > 0);
	strbuf_add(out, bytes, n);
}

/* Zero is what a missing field means. */
static void add_number(struct strbuf *out, unsigned field, uint64_t value)
{
	if (value == 0)
		return;
	add_varint(out, field << 3 | WIRE_VARINT);
	add_varint(out, value);
}

static void add_bytes(struct strbuf *out, unsigned field, const char *bytes, size_t n)
{
	add_varint(out, field << 3 | WIRE_BYTES);
	add_varint(out, n);
	strbuf_add(out, bytes, n);
}

static void add_message(struct strbuf *out, unsigned field, const struct strbuf *message)
{
	add_bytes(out, field, message->buf, message->len);
}

/* --- strings and functions --------------------------------------------------------------------- */

static uint64_t text_number(struct pprof *p, const char *text)
{
	uintptr_t number;

	if (text == NULL || *text == '\0')
		return 0;
	number = (uintptr_t)map_find(&p->numbers, text);
	if (number == 0) {
		number = p->nstrings++;
		map_put(&p->numbers, text, (void *)number);
		add_bytes(&p->strings, PROFILE_STRING_TABLE, text, strlen(text));
	}
	return number;
}

static uint64_t function_number(struct pprof *p, const struct pprof_line *l)
{
	auto_free(strbuf_fini) struct strbuf key = STRBUF_INIT, message = STRBUF_INIT;
	uint64_t name = text_number(p, l->function), file = text_number(p, l->file);
	uintptr_t number;

	strbuf_addf(&key, "%llu %llu %llu", (unsigned long long)name, (unsigned long long)file,
		    (unsigned long long)l->start_line);
	number = (uintptr_t)map_find(&p->functions, key.buf);
	if (number != 0)
		return number;
	number = ++p->nfunctions;
	map_put(&p->functions, key.buf, (void *)number);
	add_number(&message, FUNCTION_ID, number);
	add_number(&message, FUNCTION_NAME, name);
	add_number(&message, FUNCTION_SYSTEM_NAME, name);
	add_number(&message, FUNCTION_FILENAME, file);
	add_number(&message, FUNCTION_START_LINE, l->start_line);
	add_message(&p->out, PROFILE_FUNCTION, &message);
	return number;
}

static void add_value_type(struct pprof *p, unsigned field, const char *type, const char *unit)
{
	auto_free(strbuf_fini) struct strbuf message = STRBUF_INIT;

	add_number(&message, VALUE_TYPE_TYPE, text_number(p, type));
	add_number(&message, VALUE_TYPE_UNIT, text_number(p, unit));
	add_message(&p->out, field, &message);
}

/* --- the messages ------------------------------------------------------------------------------ */

void pprof_init(struct pprof *p)
{
	*p = (struct pprof){ .out = STRBUF_INIT, .strings = STRBUF_INIT, .nstrings = 1 };
	add_bytes(&p->strings, PROFILE_STRING_TABLE, "", 0);
	add_value_type(p, PROFILE_SAMPLE_TYPE, "samples", "count");
	add_value_type(p, PROFILE_SAMPLE_TYPE, "cpu", "nanoseconds");
}

void pprof_fini(struct pprof *p)
{
	strbuf_fini(&p->out);
	strbuf_fini(&p->strings);
	map_fini(&p->numbers);
	map_fini(&p->functions);
}

void pprof_mapping(struct pprof *p, uint64_t number, const struct pprof_mapping *m)
{
	auto_free(strbuf_fini) struct strbuf message = STRBUF_INIT;

	add_number(&message, MAPPING_ID, number);
	add_number(&message, MAPPING_START, m->start);
	add_number(&message, MAPPING_LIMIT, m->limit);
	add_number(&message, MAPPING_OFFSET, m->offset);
	add_number(&message, MAPPING_FILE, text_number(p, m->file));
	add_number(&message, MAPPING_BUILD_ID, text_number(p, m->build_id));
	add_number(&message, MAPPING_HAS_FUNCTIONS, m->has_functions);
	add_number(&message, MAPPING_HAS_FILENAMES, m->has_files);
	add_number(&message, MAPPING_HAS_LINES, m->has_lines);
	add_number(&message, MAPPING_HAS_INLINES, m->has_inlines);
	add_message(&p->out, PROFILE_MAPPING, &message);
}

void pprof_location(struct pprof *p, uint64_t number, uint64_t mapping, uint64_t address,
		    const struct pprof_line *lines, size_t n)
{
	auto_free(strbuf_fini) struct strbuf message = STRBUF_INIT;

	add_number(&message, LOCATION_ID, number);
	add_number(&message, LOCATION_MAPPING_ID, mapping);
	add_number(&message, LOCATION_ADDRESS, address);
	for (size_t i = 0; i < n; i++) {
		auto_free(strbuf_fini) struct strbuf line = STRBUF_INIT;

		add_number(&line, LINE_FUNCTION_ID, function_number(p, &lines[i]));
		add_number(&line, LINE_LINE, lines[i].line);
		add_message(&message, LOCATION_LINE, &line);
	}
	add_message(&p->out, PROFILE_LOCATION, &message);
}

void pprof_sample(struct pprof *p, const struct pprof_sample *s)
{
	auto_free(strbuf_fini) struct strbuf message = STRBUF_INIT, packed = STRBUF_INIT;

	for (size_t i = 0; i < s->n; i++)
		add_varint(&packed, s->locations[i]);
	add_message(&message, SAMPLE_LOCATION_ID, &packed);
	strbuf_reset(&packed);
	add_varint(&packed, (uint64_t)s->count);
	add_varint(&packed, (uint64_t)s->nanoseconds);
	add_message(&message, SAMPLE_VALUE, &packed);
	if (s->pid != 0) {
		strbuf_reset(&packed);
		add_number(&packed, LABEL_KEY, text_number(p, "pid"));
		add_number(&packed, LABEL_NUM, s->pid);
		add_message(&message, SAMPLE_LABEL, &packed);
	}
	if (s->thread != NULL && *s->thread != '\0') {
		strbuf_reset(&packed);
		add_number(&packed, LABEL_KEY, text_number(p, "thread"));
		add_number(&packed, LABEL_STR, text_number(p, s->thread));
		add_message(&message, SAMPLE_LABEL, &packed);
	}
	add_message(&p->out, PROFILE_SAMPLE, &message);
}

void pprof_finish(struct pprof *p, const struct pprof_end *end)
{
	add_value_type(p, PROFILE_PERIOD_TYPE, "cpu", "nanoseconds");
	add_number(&p->out, PROFILE_PERIOD, (uint64_t)end->period_ns);
	add_number(&p->out, PROFILE_TIME_NANOS, (uint64_t)end->start_real_ns);
	add_number(&p->out, PROFILE_DURATION_NANOS, (uint64_t)end->duration_ns);
	add_number(&p->out, PROFILE_DEFAULT_SAMPLE_TYPE, text_number(p, "cpu"));
	for (size_t i = 0; i < end->ncomments; i++)
		add_number(&p->out, PROFILE_COMMENT, text_number(p, end->comments[i]));
	strbuf_add(&p->out, p->strings.buf, p->strings.len);
	strbuf_reset(&p->strings);
}
