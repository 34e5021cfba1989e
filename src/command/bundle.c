/* A killed supervisor's successor must continue with the configuration that was running, not with
 * what the file says by now: it may be half-edited, broken or gone. So each published configuration
 * leaves its text in the run directory: one line with version, generation, length and checksum,
 * then the bundle. A file that is not what its first line says is kept as "config.bundle.bad" and
 * reported; the files are read then.
 *
 * The loader thread writes it beside; the main thread, which publishes, only renames it.
 *
 * While a new one is being applied the old one stays as "config.bundle.before": whoever dies in
 * between leaves word of what the children were started with. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fd.h"
#include "base/hash.h"
#include "base/log.h"
#include "command/supervisor.h"
#include "config/store.h"

#define BUNDLE_FILE "config.bundle"
#define BEFORE_FILE BUNDLE_FILE ".before"
#define BUNDLE_MAX (256u << 20)
#define BUNDLE_HEAD "procd-bundle 1 "
/* Always as long: so the head's end is known, and no blank or sign more or less is accepted. */
#define BUNDLE_LINE BUNDLE_HEAD "%016llx %016llx %016llx\n"
#define BUNDLE_LINE_LEN (sizeof(BUNDLE_HEAD) - 1 + 3 * 17)

static uint64_t checksum(uint64_t generation, const char *text, size_t len)
{
	uint64_t start = HASH_START ^ generation * UINT64_C(0x9e3779b97f4a7c15);

	return hash_fold(hash_add(start, text, len));
}

static void head_line(char line[BUNDLE_LINE_LEN + 1], uint64_t generation, const char *text,
		      size_t len)
{
	snprintf(line, BUNDLE_LINE_LEN + 1, BUNDLE_LINE, (unsigned long long)generation,
		 (unsigned long long)len, (unsigned long long)checksum(generation, text, len));
}

/* The head is what would be written for these contents, to the byte. */
static bool is_sound(const struct strbuf *text, uint64_t *generation)
{
	char line[BUNDLE_LINE_LEN + 1];
	unsigned long long g;

	if (text->len < BUNDLE_LINE_LEN ||
	    sscanf(text->buf, BUNDLE_HEAD "%16llx", &g) != 1)
		return false;
	head_line(line, g, text->buf + BUNDLE_LINE_LEN, text->len - BUNDLE_LINE_LEN);
	*generation = g;
	return memcmp(line, text->buf, BUNDLE_LINE_LEN) == 0;
}

/* 0, or -errno: -EBADMSG when it is not what its first line says. */
static int saved_look(const char *path, struct strbuf *text, uint64_t *generation)
{
	uint64_t saved;
	int rc = file_read(path, BUNDLE_MAX, text);

	if (rc == 0 && is_sound(text, &saved)) {
		*generation = saved;
		strbuf_consume(text, BUNDLE_LINE_LEN);
		return 0;
	}
	strbuf_reset(text);
	return rc < 0 ? rc : -EBADMSG;
}

int bundle_look(const char *run_dir, struct strbuf *text, uint64_t *generation)
{
	auto_free(freep) char *path = x_asprintf("%s/%s", run_dir, BUNDLE_FILE);

	return saved_look(path, text, generation);
}

static bool saved_read(const char *run_dir, const char *name, struct strbuf *text,
		       uint64_t *generation)
{
	auto_free(freep) char *path = x_asprintf("%s/%s", run_dir, name);
	auto_free(freep) char *bad = x_asprintf("%s/%s.bad", run_dir, BUNDLE_FILE);
	int rc = saved_look(path, text, generation);

	if (rc == 0)
		return true;
	if (rc == -ENOENT)
		return false;
	if (rename(path, bad) == 0)
		log_warn("the running configuration that was saved in %s was damaged and is kept as "
			 "%s.bad; the files are read instead", path, BUNDLE_FILE);
	return false;
}

bool bundle_read(const char *run_dir, struct strbuf *text, uint64_t *generation)
{
	return saved_read(run_dir, BUNDLE_FILE, text, generation);
}

bool bundle_read_before(const char *run_dir, struct strbuf *text)
{
	uint64_t generation;

	return saved_read(run_dir, BEFORE_FILE, text, &generation);
}

/* One that is there already is of a change that was not finished: older, and so the right one. */
void bundle_keep_before(int run_dirfd)
{
	(void)!linkat(run_dirfd, BUNDLE_FILE, run_dirfd, BEFORE_FILE, 0);
}

void bundle_applied(int run_dirfd)
{
	unlinkat(run_dirfd, BEFORE_FILE, 0);
}

bool bundle_there(int run_dirfd)
{
	return faccessat(run_dirfd, BUNDLE_FILE, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

void bundle_remove(int run_dirfd)
{
	unlinkat(run_dirfd, BUNDLE_FILE, 0);
	bundle_applied(run_dirfd);
}

static void whole(const struct strbuf *text, uint64_t generation, struct strbuf *out)
{
	char line[BUNDLE_LINE_LEN + 1];

	head_line(line, generation, text->buf, text->len);
	strbuf_reserve(out, BUNDLE_LINE_LEN + text->len);
	strbuf_add(out, line, BUNDLE_LINE_LEN);
	strbuf_add(out, text->buf, text->len);
}

int bundle_write(int run_dirfd, const struct strbuf *text, uint64_t generation)
{
	auto_free(strbuf_fini) struct strbuf all = STRBUF_INIT;
	int rc;

	whole(text, generation, &all);
	rc = file_replace_at(run_dirfd, BUNDLE_FILE, all.buf, all.len, 0600);
	if (rc < 0)
		log_warn("cannot save the running configuration to the run directory: %s; "
			 "a crash of the supervisor would read the file again", strerror(-rc));
	return rc;
}

char *bundle_stage(void *ctx, const struct strbuf *text, uint64_t generation)
{
	const struct supervisor *s = ctx;
	auto_free(strbuf_fini) struct strbuf all = STRBUF_INIT;
	char name[PATH_MAX];

	whole(text, generation, &all);
	return file_write_beside(s->run_dirfd, BUNDLE_FILE, all.buf, all.len, 0600, name) == 0 ?
		x_strdup(name) : NULL;
}

void bundle_publish(struct supervisor *s, struct load_result *r, uint64_t generation)
{
	auto_free(freep) char *staged = take(r->staged);

	bundle_keep_before(s->run_dirfd);
	if (staged == NULL || r->staged_for != generation ||
	    renameat(s->run_dirfd, staged, s->run_dirfd, BUNDLE_FILE) < 0) {
		bundle_save(s, &r->bundle, generation);
		r->staged = take(staged);
	} else {
		strbuf_fini(&s->unsaved);
	}
}

void bundle_unstage(const struct supervisor *s, const struct load_result *r)
{
	if (r->staged != NULL)
		unlinkat(s->run_dirfd, r->staged, 0);
}

void bundle_save(struct supervisor *s, const struct strbuf *text, uint64_t generation)
{
	strbuf_fini(&s->unsaved);
	if (bundle_write(s->run_dirfd, text, generation) < 0)
		strbuf_add(&s->unsaved, text->buf, text->len);
}

void bundle_save_again(struct supervisor *s)
{
	auto_free(strbuf_fini) struct strbuf text = s->unsaved;

	s->unsaved = (struct strbuf)STRBUF_INIT;
	if (text.len > 0)
		bundle_save(s, &text, config_current()->generation);
}
