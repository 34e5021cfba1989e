/* What an address means, by DWARF: the innermost scope is found by its address, then the concrete
 * chain around it is walked outward. Each inlined call says where it was called from, which is the
 * line of the next frame. Separate debug files are found as elfutils finds them (.debug,
 * /usr/lib/debug). */
#include "profile/dwarf.h"

#include "config.h"

#if HAVE_LIBDW
#include <dlfcn.h>
#include <dwarf.h>
#include <elfutils/libdw.h>
#include <elfutils/libdwfl.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/alloc.h"

/* libdw's functions that are used. */
#define FUNCTIONS(X)                                                                              \
	X(dwfl_begin) X(dwfl_end) X(dwfl_report_elf) X(dwfl_report_end)                           \
	X(dwfl_module_addrdie) X(dwfl_module_nextcu) X(dwfl_module_getdwarf)                      \
	X(dwfl_build_id_find_elf) X(dwfl_standard_find_debuginfo)                                 \
	X(dwfl_offline_section_address)                                                           \
	X(dwarf_getscopes) X(dwarf_getscopes_die) X(dwarf_getsrc_die) X(dwarf_haspc)              \
	X(dwarf_linesrc) X(dwarf_lineno) X(dwarf_diename) X(dwarf_attr_integrate) X(dwarf_attr)   \
	X(dwarf_formstring) X(dwarf_formudata) X(dwarf_getsrcfiles) X(dwarf_filesrc)              \
	X(dwarf_decl_line) X(dwarf_tag)

static struct {
	bool tried;
	void *library;
#define MEMBER(name) __typeof__(name) *name;
	FUNCTIONS(MEMBER)
#undef MEMBER
} dw;

struct dwarf {
	Dwfl *dwfl;
	Dwfl_Module *module;
	bool has_lines;
};

static bool library_load(void)
{
	bool ok;

	if (dw.tried)
		return dw.library != NULL;
	dw.tried = true;
	dw.library = dlopen("libdw.so.1", RTLD_NOW | RTLD_LOCAL);
	if (dw.library == NULL)
		return false;
	ok = true;
#define LOAD(name)                                                                                \
	dw.name = (__typeof__(dw.name))dlsym(dw.library, #name);                                  \
	ok = ok && dw.name != NULL;
	FUNCTIONS(LOAD)
#undef LOAD
	if (!ok) {
		dlclose(dw.library);
		dw.library = NULL;
	}
	return ok;
}

static Dwfl *session_begin(void)
{
	/* elfutils keeps the address */
	static Dwfl_Callbacks callbacks;

	callbacks = (Dwfl_Callbacks){
		.find_elf = dw.dwfl_build_id_find_elf,
		.find_debuginfo = dw.dwfl_standard_find_debuginfo,
		.section_address = dw.dwfl_offline_section_address,
	};
	return dw.dwfl_begin(&callbacks);
}

struct dwarf *dwarf_new(int fd, const char *name)
{
	struct dwarf *d;
	Dwarf_Addr bias;
	int copy;

	if (!library_load())
		return NULL;
	d = x_calloc(1, sizeof(*d));
	d->dwfl = session_begin();
	copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (d->dwfl != NULL && copy >= 0)
		d->module = dw.dwfl_report_elf(d->dwfl, name, name, copy, 0, true);
	if (d->module == NULL) {
		if (copy >= 0)
			close(copy);
		dwarf_free(d);
		return NULL;
	}
	dw.dwfl_report_end(d->dwfl, NULL, NULL);
	d->has_lines = dw.dwfl_module_getdwarf(d->module, &bias) != NULL;
	return d;
}

void dwarf_free(struct dwarf *d)
{
	if (d != NULL && d->dwfl != NULL)
		dw.dwfl_end(d->dwfl);
	free(d);
}

bool dwarf_has_lines(const struct dwarf *d)
{
	return d != NULL && d->has_lines;
}

/* The unit that covers ADDRESS. Not every compiler writes a table of addresses: then each is
 * asked. */
static Dwarf_Die *unit_at(struct dwarf *d, Dwarf_Addr address, Dwarf_Addr *bias)
{
	Dwarf_Die *unit = dw.dwfl_module_addrdie(d->module, address, bias);

	if (unit != NULL)
		return unit;
	while ((unit = dw.dwfl_module_nextcu(d->module, unit, bias)) != NULL)
		if (dw.dwarf_haspc(unit, address - *bias) > 0)
			return unit;
	return NULL;
}

static const char *function_name(Dwarf_Die *die)
{
	static const unsigned names[] = { DW_AT_linkage_name, DW_AT_MIPS_linkage_name };
	Dwarf_Attribute attribute;

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		Dwarf_Attribute *a = dw.dwarf_attr_integrate(die, names[i], &attribute);
		const char *name = a != NULL ? dw.dwarf_formstring(a) : NULL;

		if (name != NULL)
			return name;
	}
	return dw.dwarf_diename(die);
}

static uint64_t number_of(Dwarf_Die *die, unsigned name)
{
	Dwarf_Attribute attribute;
	Dwarf_Attribute *a = dw.dwarf_attr(die, name, &attribute);
	Dwarf_Word value = 0;

	return a != NULL && dw.dwarf_formudata(a, &value) == 0 ? value : 0;
}

/* Where an inlined function was called from. */
static void call_place(Dwarf_Die *unit, Dwarf_Die *inlined, struct symbol_frame *out)
{
	uint64_t file = number_of(inlined, DW_AT_call_file);
	Dwarf_Files *files;
	size_t n;

	out->line = number_of(inlined, DW_AT_call_line);
	if (dw.dwarf_getsrcfiles(unit, &files, &n) == 0 && file < n)
		out->file = dw.dwarf_filesrc(files, file, NULL, NULL);
}

static void place_at(Dwarf_Die *unit, Dwarf_Addr address, struct symbol_frame *out)
{
	Dwarf_Line *line = dw.dwarf_getsrc_die(unit, address);
	int number = 0;

	if (line == NULL)
		return;
	out->file = dw.dwarf_linesrc(line, NULL, NULL);
	if (dw.dwarf_lineno(line, &number) == 0 && number > 0)
		out->line = (uint64_t)number;
}

/* The scopes around ADDRESS, the innermost first (free() them); 0: none. The first look finds the
 * innermost one, but goes on where an inlined function was defined; the second goes where it is. */
static int scopes_around(Dwarf_Die *unit, Dwarf_Addr address, Dwarf_Die **out)
{
	Dwarf_Die *scopes = NULL;
	int n = dw.dwarf_getscopes(unit, address, &scopes);

	*out = NULL;
	if (n > 0)
		n = dw.dwarf_getscopes_die(&scopes[0], out);
	free(scopes);
	return MAX(n, 0);
}

size_t dwarf_find(struct dwarf *d, uint64_t address, struct symbol_frame *out, size_t max)
{
	auto_free(freep) Dwarf_Die *scopes = NULL;
	Dwarf_Addr bias = 0;
	Dwarf_Die *unit;
	size_t used = 0;
	int n;

	unit = d != NULL && d->has_lines ? unit_at(d, address, &bias) : NULL;
	if (unit == NULL || max == 0)
		return 0;
	out[0] = (struct symbol_frame){ 0 };
	place_at(unit, address - bias, &out[0]);
	n = scopes_around(unit, address - bias, &scopes);
	for (int i = 0; i < n; i++) {
		int tag = dw.dwarf_tag(&scopes[i]), line = 0;

		if (tag != DW_TAG_subprogram && tag != DW_TAG_inlined_subroutine)
			continue;
		out[used].function = function_name(&scopes[i]);
		if (dw.dwarf_decl_line(&scopes[i], &line) == 0 && line > 0)
			out[used].start_line = (uint64_t)line;
		used++;
		if (tag == DW_TAG_subprogram || used == max)
			break;
		out[used] = (struct symbol_frame){ 0 };
		call_place(unit, &scopes[i], &out[used]);
	}
	return used > 0 ? used : out[0].line != 0;
}

#else

struct dwarf *dwarf_new(int fd, const char *name)
{
	(void)fd;
	(void)name;
	return NULL;
}

void dwarf_free(struct dwarf *d)
{
	(void)d;
}

bool dwarf_has_lines(const struct dwarf *d)
{
	(void)d;
	return false;
}

size_t dwarf_find(struct dwarf *d, uint64_t address, struct symbol_frame *out, size_t max)
{
	(void)d;
	(void)address;
	(void)out;
	(void)max;
	return 0;
}

#endif
