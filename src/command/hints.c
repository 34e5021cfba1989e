/* Wishes about where procd itself runs: its nice value, its threads' processors, its memory's node.
 * Each is tried once, before the threads are made, which inherit what the main thread has. What is
 * refused is no reason not to supervise: it is told in the log and in `procd status`. Children get
 * none of it, because the keeper makes them. */
#include "command/hints.h"

#include <errno.h>
#include <linux/mempolicy.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/thread.h"
#include "config.h"
#include "config/placement.h"

#define NODES_MAX 1024

struct hints {
	struct strbuf *refused;
};

static void refuse(struct hints *h, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void refuse(struct hints *h, const char *fmt, ...)
{
	size_t at;
	va_list ap;

	if (h->refused->len > 0)
		strbuf_addch(h->refused, '\n');
	at = h->refused->len;
	va_start(ap, fmt);
	strbuf_vaddf(h->refused, fmt, ap);
	va_end(ap);
	log_warn("%s", h->refused->buf + at);
}

static void set_nice(struct hints *h, int nice)
{
	if (nice != 0 && setpriority(PRIO_PROCESS, 0, nice) < 0)
		refuse(h, "performance.nice = %d: %s", nice, strerror(errno));
}

/* --- memory --------------------------------------------------------------------------------- */

/* A list of numbers as /sys writes them: "0-3,8". 0; or a negative errno. */
static int read_list(const char *path, uint64_t mask[CPU_LIST_WORDS])
{
	auto_free(strbuf_fini) struct strbuf text = STRBUF_INIT;
	int r = file_read(path, 64 * 1024, &text);

	if (r < 0)
		return r;
	text.buf[strcspn(text.buf, "\n")] = '\0';
	memset(mask, 0, CPU_LIST_WORDS * sizeof(*mask));
	return cpu_list_parse(text.buf, mask);
}

static unsigned count(const uint64_t mask[CPU_LIST_WORDS])
{
	unsigned n = 0;

	for (size_t i = 0; i < CPU_LIST_WORDS; i++)
		n += (unsigned)__builtin_popcountll(mask[i]);
	return n;
}

/* The processors of NODE that this thread may use; 0; or a negative errno. */
static int allowed_of_node(const char *root, unsigned node, uint64_t mask[CPU_LIST_WORDS])
{
	auto_free(freep) char *path = x_asprintf("%s/node%u/cpulist", root, node);
	auto_free(freep) uint64_t *of_node = x_calloc(CPU_LIST_WORDS, sizeof(*of_node));
	int r = read_list(path, of_node);

	if (r < 0)
		return r;
	memset(mask, 0, CPU_LIST_WORDS * sizeof(*mask));
	if (syscall(SYS_sched_getaffinity, 0, CPU_LIST_WORDS * sizeof(*mask), mask) < 0)
		return -errno;
	for (size_t i = 0; i < CPU_LIST_WORDS; i++)
		mask[i] &= of_node[i];
	return 0;
}

static int stay_on_node(const char *root, unsigned node)
{
	unsigned long nodes[NODES_MAX / (8 * sizeof(unsigned long))] = { 0 };
	const unsigned bits = 8 * sizeof(*nodes);
	auto_free(freep) uint64_t *mask = x_calloc(CPU_LIST_WORDS, sizeof(*mask));
	int r = allowed_of_node(root, node, mask);

	if (r < 0)
		return r;
	if (node >= NODES_MAX || count(mask) == 0)
		return -ERANGE;
	if (syscall(SYS_sched_setaffinity, 0, CPU_LIST_WORDS * sizeof(*mask), mask) < 0)
		return -errno;
	nodes[node / bits] = 1UL << node % bits;
	return syscall(SYS_set_mempolicy, MPOL_PREFERRED, nodes, NODES_MAX + 1) < 0 ? -errno : 0;
}

static void keep_on_one_node(struct hints *h, const char *root)
{
	auto_free(freep) char *path = x_asprintf("%s/has_cpu", root);
	auto_free(freep) uint64_t *nodes = x_calloc(CPU_LIST_WORDS, sizeof(*nodes));
	unsigned node = 0;
	int r = read_list(path, nodes);

	if (r < 0) {
		refuse(h, "performance.numa_aware: no NUMA nodes are known (%s: %s)", path,
		       strerror(-r));
		return;
	}
	if (count(nodes) < 2) {
		refuse(h,
		       "performance.numa_aware does nothing: all processors are of one NUMA node");
		return;
	}
	r = syscall(SYS_getcpu, NULL, &node, NULL) < 0 ? -errno : stay_on_node(root, node);
	if (r < 0)
		refuse(h, "performance.numa_aware: node %u: %s", node, strerror(-r));
}

/* --- all ---------------------------------------------------------------------------------------- */

void hints_apply(const struct config *config, struct strbuf *refused)
{
	struct hints h = { .refused = refused };
	int r;

	set_nice(&h, (int)config->performance.nice);
	if (WITH_SCHEDULER_HINTS && config->performance.numa_aware)
		keep_on_one_node(&h, "/sys/devices/system/node");
	if (WITH_SCHEDULER_HINTS && config->performance.thread_pinning) {
		r = thread_pin_each();
		if (r < 0)
			refuse(&h, "performance.thread_pinning: %s", strerror(-r));
	}
}
