/* A reader of .eh_frame_hdr and .eh_frame for what compilers really write: a sorted table of
 * functions with 32-bit offsets, and programs whose frames are found from the stack or the frame
 * pointer. Anything else is "unknown" and left to frame pointers.
 *
 * The sections belong to objects that the dynamic loader has mapped; they are trusted as much as
 * their code is. */
#include "profile/heap_unwind.h"

#include <dlfcn.h>
#include <string.h>

#define RULE_PRESENT 2U
#define RULE_BASE_FP 4U
#define RULE_INDIRECT 8U

uint64_t heap_unwind_pack(const struct unwind_rule *r)
{
	int32_t words = r->saved_fp / 8;

	if (r->saved_fp % 8 != 0 || words < -2048 || words > 2047)
		return UNWIND_UNKNOWN;
	return RULE_PRESENT | (r->base == UNWIND_FP ? RULE_BASE_FP : 0) |
	       (r->indirect ? RULE_INDIRECT : 0) | (uint64_t)(uint16_t)(int16_t)words << 16 |
	       (uint64_t)(uint32_t)r->offset << 32;
}

struct unwind_rule heap_unwind_unpack(uint64_t packed)
{
	return (struct unwind_rule){
		.base = packed & RULE_BASE_FP ? UNWIND_FP : UNWIND_SP,
		.indirect = packed & RULE_INDIRECT,
		.offset = (int32_t)(uint32_t)(packed >> 32),
		.saved_fp = (int16_t)(uint16_t)(packed >> 16) * 8,
	};
}

#if defined(__x86_64__)

enum { REG_FP = 6, REG_SP = 7, REG_RA = 16 };	/* DWARF numbers */
#define WORD 8
#define ENC_SDATA4 0x0b
#define ENC_PCREL 0x10
#define ENC_DATAREL 0x30
#define ENC_OMIT 0xff
#define STATES 4		/* remembered at once */

/* --- bytes ------------------------------------------------------------------------------------ */

struct bytes {
	const uint8_t *at, *end;
	bool bad;
};

static uint64_t get(struct bytes *b, size_t n)
{
	uint64_t v = 0;

	if ((size_t)(b->end - b->at) < n) {
		b->bad = true;
		b->at = b->end;
		return 0;
	}
	memcpy(&v, b->at, n);
	b->at += n;
	return v;
}

static int32_t get_s4(struct bytes *b)
{
	return (int32_t)(uint32_t)get(b, 4);
}

static void skip(struct bytes *b, uint64_t n)
{
	if (n > (uint64_t)(b->end - b->at)) {
		b->bad = true;
		n = (uint64_t)(b->end - b->at);
	}
	b->at += n;
}

/* *SIGN: the bits above those that are written, were it a signed one. */
static uint64_t get_leb(struct bytes *b, uint64_t *sign)
{
	uint64_t v = 0;
	uint8_t byte;
	unsigned shift = 0;

	do {
		byte = (uint8_t)get(b, 1);
		if (shift < 64)
			v |= (uint64_t)(byte & 0x7f) << shift;
		shift += 7;
	} while (byte & 0x80);
	*sign = shift < 64 && byte & 0x40 ? ~UINT64_C(0) << shift : 0;
	return v;
}

static uint64_t get_uleb(struct bytes *b)
{
	uint64_t sign;

	return get_leb(b, &sign);
}

static int64_t get_sleb(struct bytes *b)
{
	uint64_t sign, v = get_leb(b, &sign);

	return (int64_t)(v | sign);
}

/* --- entries ---------------------------------------------------------------------------------- */

struct cie {
	uint64_t code_align;
	int64_t data_align;
	uint8_t encoding;		/* of addresses in its functions */
	bool augmented, signal;
	struct bytes program;
};

/* The body of the entry at AT: everything after its length. */
static struct bytes entry(const uint8_t *at)
{
	struct bytes b = { .at = at, .end = at + 4 };
	uint32_t length = (uint32_t)get(&b, 4);

	if (length == 0 || length == UINT32_MAX) {	/* the end; 64-bit lengths */
		b.bad = true;
		return b;
	}
	b.end = b.at + length;
	return b;
}

static bool cie_augmentation(struct cie *c, struct bytes *b, const char *letters)
{
	for (; *letters != '\0'; letters++) {
		uint8_t encoding;

		switch (*letters) {
		case 'R':
			c->encoding = (uint8_t)get(b, 1);
			break;
		case 'L':
			skip(b, 1);
			break;
		case 'P':
			encoding = (uint8_t)get(b, 1);
			if ((encoding & 0x0f) == ENC_SDATA4 || (encoding & 0x0f) == 0x03)
				skip(b, 4);
			else if ((encoding & 0x0f) == 0x00 || (encoding & 0x0f) == 0x04)
				skip(b, 8);
			else
				return false;
			break;
		case 'S':
			c->signal = true;
			break;
		default:
			return false;
		}
	}
	return !b->bad;
}

static bool cie_read(struct cie *c, const uint8_t *at)
{
	struct bytes b = entry(at);
	const char *letters;
	uint64_t size = 0;
	uint8_t version;

	*c = (struct cie){ .encoding = 0 };
	if (b.bad || get(&b, 4) != 0)
		return false;
	version = (uint8_t)get(&b, 1);
	letters = (const char *)b.at;
	while (get(&b, 1) != 0)
		;
	if ((version != 1 && version != 3) || b.bad)
		return false;
	c->code_align = get_uleb(&b);
	c->data_align = get_sleb(&b);
	if ((version == 1 ? get(&b, 1) : get_uleb(&b)) != REG_RA)
		return false;
	c->program = b;
	if (*letters != 'z')
		return *letters == '\0';
	c->augmented = true;
	size = get_uleb(&b);
	c->program.at = b.at + size;
	return !b.bad && c->program.at <= b.end && cie_augmentation(c, &b, letters + 1);
}

/* --- programs --------------------------------------------------------------------------------- */

/* A row of the table that a program describes. */
struct row {
	uint64_t base_reg;
	int64_t base_offset;
	bool indirect, odd;		/* odd: described in a way that is not read */
	bool fp_saved, fp_odd, ra_odd, ra_undefined;
	int64_t fp_at;
	int64_t ra_at;
};

struct machine {
	const struct cie *cie;
	uintptr_t at, pc;
	struct row row, first, kept[STATES];
	unsigned nkept;
};

/* N of the CIE's data units. */
static int64_t data(const struct machine *m, uint64_t n)
{
	return (int64_t)(n * (uint64_t)m->cie->data_align);
}

static void saved_at(struct row *r, uint64_t reg, int64_t at)
{
	if (reg == REG_FP) {
		r->fp_saved = true;
		r->fp_odd = false;
		r->fp_at = at;
	} else if (reg == REG_RA) {
		r->ra_at = at;
		r->ra_odd = r->ra_undefined = false;
	}
}

static void restored(struct machine *m, uint64_t reg)
{
	if (reg == REG_FP) {
		m->row.fp_saved = m->first.fp_saved;
		m->row.fp_odd = m->first.fp_odd;
		m->row.fp_at = m->first.fp_at;
	} else if (reg == REG_RA) {
		m->row.ra_at = m->first.ra_at;
		m->row.ra_odd = m->first.ra_odd;
		m->row.ra_undefined = m->first.ra_undefined;
	}
}

static void not_read(struct row *r, uint64_t reg)
{
	if (reg == REG_FP)
		r->fp_odd = true;
	else if (reg == REG_RA)
		r->ra_odd = true;
}

/* "what stands at frame pointer + N": how a function with a realigned stack finds its own. */
static void base_expression(struct machine *m, struct bytes *b)
{
	uint64_t n = get_uleb(b);
	struct bytes e = { .at = b->at, .end = b->at };

	skip(b, n);
	e.end = b->at;
	m->row.odd = true;
	if (b->bad || get(&e, 1) != 0x70 + REG_FP)	/* DW_OP_breg6 */
		return;
	m->row.base_reg = REG_FP;
	m->row.base_offset = get_sleb(&e);
	m->row.indirect = true;
	m->row.odd = get(&e, 1) != 0x06 || e.bad || e.at != e.end;	/* DW_OP_deref */
}

static void set_base(struct machine *m, uint64_t reg, int64_t offset)
{
	m->row.base_reg = reg;
	m->row.base_offset = offset;
	m->row.indirect = m->row.odd = false;
}

/* Instructions without a number in their first byte. False: the rest cannot be understood. */
static bool instruction(struct machine *m, struct bytes *b, uint8_t op)
{
	struct row *r = &m->row;
	uint64_t reg;

	switch (op) {
	case 0x00:			/* nop */
		return true;
	case 0x02: case 0x03: case 0x04:	/* advance_loc1, 2, 4 */
		m->at += get(b, op == 0x04 ? 4 : (size_t)op - 1) * m->cie->code_align;
		return true;
	case 0x05:			/* offset_extended */
		reg = get_uleb(b);
		saved_at(r, reg, data(m, get_uleb(b)));
		return true;
	case 0x06:			/* restore_extended */
		restored(m, get_uleb(b));
		return true;
	case 0x07:			/* undefined */
		reg = get_uleb(b);
		not_read(r, reg);
		if (reg == REG_RA)
			r->ra_undefined = true;
		return true;
	case 0x08:			/* same_value */
		reg = get_uleb(b);
		if (reg == REG_FP)
			r->fp_saved = r->fp_odd = false;
		return true;
	case 0x09:			/* register */
		not_read(r, get_uleb(b));
		get_uleb(b);
		return true;
	case 0x0a:			/* remember_state */
		if (m->nkept == STATES)
			return false;
		m->kept[m->nkept++] = *r;
		return true;
	case 0x0b:			/* restore_state */
		if (m->nkept == 0)
			return false;
		*r = m->kept[--m->nkept];
		return true;
	case 0x0c:			/* def_cfa */
		reg = get_uleb(b);
		set_base(m, reg, (int64_t)get_uleb(b));
		return true;
	case 0x0d:			/* def_cfa_register */
		set_base(m, get_uleb(b), r->base_offset);
		return true;
	case 0x0e:			/* def_cfa_offset */
		r->base_offset = (int64_t)get_uleb(b);
		return true;
	case 0x0f:			/* def_cfa_expression */
		base_expression(m, b);
		return true;
	case 0x10: case 0x16:		/* expression, val_expression */
		not_read(r, get_uleb(b));
		skip(b, get_uleb(b));
		return true;
	case 0x11:			/* offset_extended_sf */
		reg = get_uleb(b);
		saved_at(r, reg, data(m, (uint64_t)get_sleb(b)));
		return true;
	case 0x12:			/* def_cfa_sf */
		reg = get_uleb(b);
		set_base(m, reg, data(m, (uint64_t)get_sleb(b)));
		return true;
	case 0x13:			/* def_cfa_offset_sf */
		r->base_offset = data(m, (uint64_t)get_sleb(b));
		return true;
	case 0x14: case 0x15:		/* val_offset, val_offset_sf */
		not_read(r, get_uleb(b));
		get_uleb(b);
		return true;
	case 0x2e:			/* GNU_args_size */
		get_uleb(b);
		return true;
	default:
		return false;
	}
}

/* Up to the row of m->pc. */
static bool run(struct machine *m, struct bytes b)
{
	while (b.at < b.end && !b.bad && m->at <= m->pc) {
		uint8_t op = (uint8_t)get(&b, 1), low = op & 0x3f;

		switch (op >> 6) {
		case 1:
			m->at += low * m->cie->code_align;
			break;
		case 2:
			saved_at(&m->row, low, data(m, get_uleb(&b)));
			break;
		case 3:
			restored(m, low);
			break;
		default:
			if (!instruction(m, &b, op))
				return false;
		}
	}
	return !b.bad;
}

static uint64_t rule_of_row(const struct row *r)
{
	struct unwind_rule rule;

	if (r->ra_undefined)
		return UNWIND_END;
	if (r->odd || r->fp_odd || r->ra_odd || r->ra_at != -WORD ||
	    (r->base_reg != REG_FP && r->base_reg != REG_SP) ||
	    r->base_offset > INT32_MAX || r->base_offset < INT32_MIN ||
	    r->fp_at > 0 || r->fp_at < INT32_MIN)
		return UNWIND_UNKNOWN;
	rule = (struct unwind_rule){
		.base = r->base_reg == REG_FP ? UNWIND_FP : UNWIND_SP,
		.indirect = r->indirect,
		.offset = (int32_t)r->base_offset,
		.saved_fp = r->fp_saved ? (int32_t)r->fp_at : 0,
	};
	return heap_unwind_pack(&rule);
}

/* The rule for PC from the function entry at AT. */
static uint64_t rule_of_entry(const uint8_t *at, uintptr_t pc)
{
	struct bytes b = entry(at);
	const uint8_t *pointer = b.at;
	struct machine m = { .pc = pc };
	struct cie cie;
	uint32_t back, length;

	if (b.bad)
		return UNWIND_UNKNOWN;
	back = (uint32_t)get(&b, 4);
	if (back == 0 || !cie_read(&cie, pointer - back) || cie.signal ||
	    cie.encoding != (ENC_PCREL | ENC_SDATA4))
		return UNWIND_UNKNOWN;
	m.cie = &cie;
	pointer = b.at;
	m.at = (uintptr_t)pointer + (uintptr_t)(intptr_t)get_s4(&b);
	length = (uint32_t)get(&b, 4);
	if (b.bad || pc < m.at || pc - m.at >= length)
		return UNWIND_UNKNOWN;
	if (cie.augmented)
		skip(&b, get_uleb(&b));
	m.row.odd = true;		/* until it is said */
	if (!run(&m, cie.program))
		return UNWIND_UNKNOWN;
	m.first = m.row;
	return run(&m, b) ? rule_of_row(&m.row) : UNWIND_UNKNOWN;
}

struct table_row {
	int32_t function, entry;	/* from the beginning of the header */
};

uint64_t heap_unwind_table(const uint8_t *hdr, uintptr_t pc)
{
	const struct table_row *table = (const void *)(hdr + 12);
	uint32_t low = 0, high;
	int64_t at = (int64_t)(pc - (uintptr_t)hdr);

	if (hdr[0] != 1 || hdr[1] == ENC_OMIT || hdr[2] != 0x03 ||
	    hdr[3] != (ENC_DATAREL | ENC_SDATA4))
		return UNWIND_UNKNOWN;
	memcpy(&high, hdr + 8, sizeof(high));
	while (low < high) {		/* the first one behind AT */
		uint32_t middle = low + (high - low) / 2;

		if (table[middle].function <= at)
			low = middle + 1;
		else
			high = middle;
	}
	return low == 0 ? UNWIND_UNKNOWN : rule_of_entry(hdr + table[low - 1].entry, pc);
}
#endif

#if defined(__x86_64__) && defined(DLFO_STRUCT_HAS_EH_DBASE)	/* glibc 2.35 and later */
uint64_t heap_unwind_rule(uintptr_t pc)
{
	struct dl_find_object found;

	if (_dl_find_object((void *)pc, &found) != 0 || found.dlfo_eh_frame == NULL)
		return UNWIND_UNKNOWN;
	return heap_unwind_table(found.dlfo_eh_frame, pc);
}
#else
uint64_t heap_unwind_rule(uintptr_t pc)
{
	(void)pc;
	return UNWIND_UNKNOWN;
}
#endif
