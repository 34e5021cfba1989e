/* The daemon tells which process keeps books of its heap; they are copied out of its memory here,
 * with the rights of who asked, and names are found and the file is written here, too. Of procd
 * itself there are books only from the moment when somebody asks: between `start` and `stop`, or
 * for as long as this client stays. */
#include "command/profile_heap.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/fd.h"
#include "command/call.h"
#include "command/verbs.h"
#include "profile/heap_reader.h"

#define SECONDS_DEFAULT 10
#define SECONDS_MAX 86400

/* How procd's own heap is asked for. */
enum own { OWN_WHILE, OWN_START, OWN_STOP };

struct wanted {
	const struct cli_options *o;
	struct call call;
	const char *name;		/* NULL: procd itself */
	enum own own;
	double seconds;
	/* the answer */
	char *output;
	pid_t pid;
	uint64_t address;		/* of procd's books */
};

static void wanted_fini(struct wanted *w)
{
	call_fini(&w->call);
	free(w->output);
}

static int fail(const struct wanted *w, const struct error *e)
{
	return cli_fail(w->o, e->code == ERROR_IO_PERMISSION ? EXIT_NOT_FOUND : EXIT_FAILED,
			RPC_SERVER_ERROR, e, NULL);
}

static int read_wish(struct wanted *w)
{
	const char *seconds = cli_value(w->o, "seconds"), *word = NULL;
	char *end;

	if (w->o->args.n > 2)
		return cli_fail_usage(w->o, "profile heap: one NAME at a time");
	if (w->o->args.n == 2)
		word = w->o->args.items[1];
	if (word != NULL && strcmp(word, "start") == 0)
		w->own = OWN_START;
	else if (word != NULL && strcmp(word, "stop") == 0)
		w->own = OWN_STOP;
	else
		w->name = word;
	if (cli_value(w->o, "hz") != NULL)
		return cli_fail_usage(w->o, "--hz is for CPU profiles");
	if (seconds == NULL)
		return 0;
	if (word != NULL)
		return cli_fail_usage(w->o, "--seconds is for procd's own heap; of a subsystem "
				      "everything is known since its start");
	w->seconds = strtod(seconds, &end);
	if (end == seconds || (*end != '\0' && strcmp(end, "s") != 0) ||
	    !(w->seconds >= 0.1 && w->seconds <= SECONDS_MAX))
		return cli_fail_usage(w->o, "--seconds: \"%s\" is not a number from 0.1 to %d",
				      seconds, SECONDS_MAX);
	return 0;
}

/* --- asking ------------------------------------------------------------------------------------- */

/* What whoever says "stop" is to write; the caller frees it. NULL: not given. */
static char *output_absolute(const struct wanted *w)
{
	const char *output = cli_value(w->o, "output");
	auto_free(freep) char *here = getcwd(NULL, 0);

	if (output == NULL || *output == '/' || here == NULL)
		return x_strdup(output);
	return x_asprintf("%s/%s", here, output);
}

static json_t *request_of(const struct wanted *w)
{
	auto_free(freep) char *output = output_absolute(w);
	json_t *params = json_pack("{s:s}", "kind", "heap");

	if (w->name != NULL) {
		json_object_set_new(params, "names", json_pack("[o]", json_text(w->name)));
		return params;
	}
	json_object_set_new(params, "begin", json_boolean(w->own != OWN_STOP));
	json_object_set_new(params, "keep", json_boolean(w->own == OWN_WHILE));
	if (w->own == OWN_START && output != NULL)
		json_object_set_new(params, "output", json_text(output));
	return params;
}

static int ask(struct wanted *w)
{
	auto_free(json_decrefp) json_t *result = NULL;
	const char *text, *output = cli_value(w->o, "output");
	size_t len;
	int rc = call_ask(&w->call, "profile.start", request_of(w), &text, &len);

	if (rc != 0)
		return rc;
	result = json_loadb(text, len, 0, NULL);
	if (!json_is_integer(json_object_get(result, "pid")))
		return call_broken(&w->call, -EPROTO);
	if (output == NULL)
		output = json_string_value(json_object_get(result, "output"));
	w->output = x_strdup(output != NULL && *output != '\0' ? output : "dhat-heap.json");
	w->pid = (pid_t)json_integer_value(json_object_get(result, "pid"));
	w->address = (uint64_t)json_integer_value(json_object_get(result, "address"));
	return 0;
}

static int end_own(struct wanted *w)
{
	const char *text;
	size_t len;

	return call_ask(&w->call, "profile.stop", json_pack("{s:s}", "kind", "heap"), &text, &len);
}

/* --- the file ----------------------------------------------------------------------------------- */

static int sink(void *ctx, const char *text, size_t n)
{
	strbuf_add(ctx, text, n);
	return 0;
}

static bool to_stdout(const struct wanted *w)
{
	return strcmp(w->output, "-") == 0;
}

/* A file is replaced, so that nobody ever finds half of one. A device or a pipe is written to: a
 * file in the place of /dev/null would be the end of more than this profile. */
static int write_whole(const char *path, const struct strbuf *text, mode_t mode)
{
	auto_free(closep) int fd = -1;
	struct stat st;

	if (stat(path, &st) < 0 || S_ISREG(st.st_mode))
		return file_replace_at(AT_FDCWD, path, text->buf, text->len, mode);
	fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
	return fd < 0 ? -errno : fd_write_all(fd, text->buf, text->len);
}

static int output_write(const struct wanted *w, const struct strbuf *text)
{
	mode_t mask = umask(0);
	auto_free(error_fini) struct error e = ERROR_INIT;
	int rc;

	umask(mask);
	if (to_stdout(w))
		return cli_print(text->buf, text->len);
	rc = write_whole(w->output, text, 0666 & ~mask);
	if (rc == 0)
		return 0;
	error_set(&e, ERROR_IO, -rc, "cannot write %s", w->output);
	return cli_fail(w->o, EXIT_CANNOT_CREATE, RPC_SERVER_ERROR, &e, NULL);
}

static int tell(const struct wanted *w, const struct heap_state *h)
{
	auto_free(strbuf_fini) struct strbuf out = STRBUF_INIT;
	const char *name = w->name != NULL ? w->name : "procd";

	if (w->o->json && !to_stdout(w))
		return cli_print_json(json_pack("{s:s, s:o, s:s, s:i, s:I, s:I, s:I, s:I, s:I, s:I, s:I}",
			"kind", "heap", "output", json_text(w->output), "name", name, "pid", (int)w->pid,
			"total_bytes", (json_int_t)h->total_bytes,
			"total_blocks", (json_int_t)h->total_blocks,
			"peak_bytes", (json_int_t)h->peak_bytes,
			"peak_blocks", (json_int_t)h->peak_blocks,
			"bytes", (json_int_t)h->bytes, "blocks", (json_int_t)h->nblocks,
			"untracked", (json_int_t)h->untracked));
	if (w->o->quiet)
		return EXIT_OK;
	strbuf_addf(&out, "%s: %llu bytes in %llu blocks so far, %llu in %llu at the peak, "
		    "%llu in %llu now: %s\n", name, (unsigned long long)h->total_bytes,
		    (unsigned long long)h->total_blocks, (unsigned long long)h->peak_bytes,
		    (unsigned long long)h->peak_blocks, (unsigned long long)h->bytes,
		    (unsigned long long)h->nblocks, w->output);
	if (to_stdout(w))
		return fputs(out.buf, stderr) < 0 ? EXIT_OS : EXIT_OK;
	return cli_print(out.buf, out.len);
}

static int take_profile(struct wanted *w)
{
	auto_free(heap_copy_fini) struct heap_copy copy = HEAP_COPY_INIT;
	auto_free(strbuf_fini) struct strbuf text = STRBUF_INIT;
	auto_free(error_fini) struct error e = ERROR_INIT;
	int rc = w->name != NULL ? heap_books_find(w->pid, &w->address, &e) : 0;

	if (rc == 0)
		rc = heap_books_copy(w->pid, w->address, &copy, &e);
	if (rc == 0) {
		rc = heap_dhat_write(&copy.view, sink, &text);
		if (rc < 0)
			error_set(&e, ERROR_RESOURCE_MEMORY, -rc, "cannot make the profile");
	}
	if (rc < 0)
		return fail(w, &e);
	rc = output_write(w, &text);
	return rc != 0 ? rc : tell(w, &copy.view.state);
}

/* --- procd's own -------------------------------------------------------------------------------- */

/* That long, or until Ctrl-C. */
static void wait_for_enough(double seconds)
{
	struct timespec left = { .tv_sec = (time_t)seconds,
				 .tv_nsec = (long)((seconds - (double)(time_t)seconds) * 1e9) };
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	sigtimedwait(&set, NULL, &left);
}

static int started(const struct wanted *w)
{
	if (w->o->json)
		return cli_print_json(json_pack("{s:s, s:i, s:o}", "kind", "heap", "pid", (int)w->pid,
						"output", json_text(w->output)));
	if (w->o->quiet)
		return EXIT_OK;
	fputs("procd: recording its own heap; procd profile heap stop writes the file\n", stderr);
	return EXIT_OK;
}

static int own_heap(struct wanted *w)
{
	int rc, ended;

	if (w->own == OWN_START)
		return started(w);
	if (w->own == OWN_WHILE) {
		wait_for_enough(w->seconds);
		w->call.client.deadline_ns = clock_mono_ns() + CALL_PATIENCE_MS * NS_PER_MS;
	}
	rc = take_profile(w);
	ended = end_own(w);
	return rc != 0 ? rc : ended;
}

int profile_heap(const struct cli_options *o)
{
	auto_free(wanted_fini) struct wanted w = { .o = o, .call = { .client = CLIENT_INIT },
						   .seconds = SECONDS_DEFAULT };
	int rc = read_wish(&w);

	if (rc != 0)
		return rc;
	rc = call_open(&w.call, o);
	if (rc == 0)
		rc = ask(&w);
	if (rc != 0)
		return rc;
	return w.name != NULL ? take_profile(&w) : own_heap(&w);
}
