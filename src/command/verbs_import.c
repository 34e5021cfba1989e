/* `import`: what another supervisor is configured by, as a daemon.toml. The text is whole before
 * the first byte of it goes anywhere. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fd.h"
#include "command/verbs.h"
#include "import/import.h"

/* A file that may hold somebody's passwords is nobody else's to read. */
#define MODE 0600

static int fail(const struct cli_options *o, int exit_code, struct error *e)
{
	cli_fail(o, exit_code, RPC_SERVER_ERROR, e, NULL);
	error_fini(e);
	return exit_code;
}

static int fail_to_write(const struct cli_options *o, const char *path, int err)
{
	struct error e = ERROR_INIT;

	if (err == -EEXIST)
		error_set(&e, ERROR_IO, 0, "%s is there already; --force replaces it", path);
	else if (err == -EINVAL)
		error_set(&e, ERROR_IO, 0, "%s is no regular file and is not replaced", path);
	else
		error_set(&e, ERROR_IO, -err, "cannot write %s", path);
	return fail(o, EXIT_CANNOT_CREATE, &e);
}

/* A new file beside PATH that gets its name in one step, which fails when the name is taken. */
static int write_new(const char *path, const struct strbuf *text)
{
	auto_free(freep) char *beside = x_asprintf("%s.import-%d", path, (int)getpid());
	int r = file_replace_at(AT_FDCWD, beside, text->buf, text->len, MODE);

	if (r < 0)
		return r;
	if (renameat2(AT_FDCWD, beside, AT_FDCWD, path, RENAME_NOREPLACE) == 0)
		return 0;
	r = -errno;
	if (r == -EINVAL)	/* a file system that cannot do it this way */
		r = link(beside, path) == 0 ? 0 : -errno;
	unlink(beside);
	return r;
}

static int write_file(const struct cli_options *o, const char *path, bool force,
		      const struct strbuf *text)
{
	struct stat st;
	int r;

	if (lstat(path, &st) == 0 && (!force || !S_ISREG(st.st_mode)))
		return fail_to_write(o, path, S_ISREG(st.st_mode) ? -EEXIST : -EINVAL);
	r = force ? file_replace_at(AT_FDCWD, path, text->buf, text->len, MODE) :
	    write_new(path, text);
	return r < 0 ? fail_to_write(o, path, r) : EXIT_OK;
}

int verb_import(const struct cli_options *o)
{
	auto_free(strbuf_fini) struct strbuf text = STRBUF_INIT;
	const char *output = cli_value(o, "output");
	struct error e = ERROR_INIT;
	int rc;

	if (output != NULL && *output == '\0')
		return cli_fail_usage(o, "import: an empty name is no file");
	if (output == NULL && cli_value(o, "force") != NULL)
		return cli_fail_usage(o, "import: --force is about the file of -o");
	rc = import_run(o->args.items[0], cli_value(o, "from"), &text, &e);
	if (rc != 0)
		return fail(o, rc, &e);
	if (output == NULL)
		return cli_print(text.buf, text.len);
	return write_file(o, output, cli_value(o, "force") != NULL, &text);
}
