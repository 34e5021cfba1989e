/* The list is long (10 MiB of text), so it is read only when a sample was in the kernel, and only
 * functions are kept. */
#include "profile/cpu_kernel.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fd.h"

#define TEXT_MAX ((size_t)256 << 20)

void cpu_kernel_fini(struct cpu_kernel *k)
{
	free(k->symbols);
	strbuf_fini(&k->names);
	*k = (struct cpu_kernel)CPU_KERNEL_INIT;
}

static int by_address(const void *a, const void *b)
{
	const struct cpu_kernel_symbol *x = a, *y = b;

	return x->address < y->address ? -1 : x->address > y->address;
}

static void symbol_add(struct cpu_kernel *k, uint64_t address, const char *name, size_t n)
{
	if (k->n == k->cap) {
		k->cap = MAX(k->cap * 2, (size_t)1024);
		k->symbols = x_reallocarray(k->symbols, k->cap, sizeof(*k->symbols));
	}
	k->symbols[k->n++] = (struct cpu_kernel_symbol){ address, (uint32_t)k->names.len };
	strbuf_add(&k->names, name, n);
	strbuf_addch(&k->names, '\0');
}

void cpu_kernel_parse(struct cpu_kernel *k, const char *text)
{
	while (*text != '\0') {
		size_t n = strcspn(text, "\n"), name;
		char *at;
		uint64_t address = strtoull(text, &at, 16);

		if (address != 0 && at[0] == ' ' && strchr("tTwW", at[1]) && at[1] != '\0' &&
		    at[2] == ' ') {
			name = strcspn(at + 3, " \t\n");
			if (name > 0 && k->names.len + name < UINT32_MAX)
				symbol_add(k, address, at + 3, name);
		}
		text += n + (text[n] != '\0');
	}
	if (k->n > 0)
		qsort(k->symbols, k->n, sizeof(*k->symbols), by_address);
}

void cpu_kernel_read(struct cpu_kernel *k)
{
	auto_free(strbuf_fini) struct strbuf text = STRBUF_INIT;
	auto_free(closep) int fd = open("/proc/kallsyms", O_RDONLY | O_CLOEXEC);

	if (fd >= 0 && fd_read_all(fd, TEXT_MAX, &text) == 0)
		cpu_kernel_parse(k, text.buf);
}

const char *cpu_kernel_function(const struct cpu_kernel *k, uint64_t address)
{
	size_t low = 0, high = k->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (k->symbols[mid].address <= address)
			low = mid + 1;
		else
			high = mid;
	}
	return low > 0 ? k->names.buf + k->symbols[low - 1].name : NULL;
}
