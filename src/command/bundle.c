/* A killed supervisor's successor must continue with the configuration that was running, not with
 * what the file says by now: it may be half-edited, broken or gone. So each published configuration
 * leaves its text in the run directory: one line with the generation, then the bundle. */
#include <errno.h>
#include <fcntl.h>

#include "base/alloc.h"
#include "base/fd.h"
#include "base/log.h"
#include "command/supervisor.h"

#define BUNDLE_FILE "config.bundle"
#define BUNDLE_MAX (256u << 20)

bool bundle_read(const char *run_dir, struct strbuf *text, uint64_t *generation)
{
	auto_free(freep) char *path = x_asprintf("%s/%s", run_dir, BUNDLE_FILE);
	unsigned long long g;
	int used = 0;

	if (file_read(path, BUNDLE_MAX, text) < 0)
		return false;
	if (sscanf(text->buf, "generation %llu\n%n", &g, &used) != 1 || used == 0)
		return false;
	*generation = g;
	strbuf_consume(text, (size_t)used);
	return true;
}

void bundle_remove(int run_dirfd)
{
	unlinkat(run_dirfd, BUNDLE_FILE, 0);
}

void bundle_write(int run_dirfd, const struct strbuf *text, uint64_t generation)
{
	auto_free(strbuf_fini) struct strbuf all = STRBUF_INIT;
	int rc;

	strbuf_addf(&all, "generation %llu\n", (unsigned long long)generation);
	strbuf_add(&all, text->buf, text->len);
	rc = file_replace_at(run_dirfd, BUNDLE_FILE, all.buf, all.len, 0600);
	if (rc < 0)
		log_warn("cannot save the running configuration to the run directory: %s; "
			 "a crash of the supervisor would read the file again", strerror(-rc));
}
