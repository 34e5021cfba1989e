/* A service directory from anywhere: what is between two NUL bytes is one of its files, in this order. A
 * file of nothing is not there. */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "import_one.h"

static const char *const files[] = {
	"run", "finish", "check", "type", "up", "down", "notification-fd", "timeout-kill", "timeout-up",
	"timeout-finish", "down-signal", "dependencies",
};

static char dir[] = "/tmp/procd-fuzz-XXXXXX";

static void write_file(int at, const char *name, const uint8_t *bytes, size_t n)
{
	int fd;

	unlinkat(at, name, 0);
	if (n == 0)
		return;
	fd = openat(at, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
	check(fd >= 0 && write(fd, bytes, n) == (ssize_t)n);
	close(fd);
}

static void remove_all(void)
{
	int at = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	for (size_t i = 0; at >= 0 && i < ARRAY_LEN(files); i++)
		unlinkat(at, files[i], 0);
	close(at);
	rmdir(dir);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	static int at = -1;
	auto_free(strbuf_fini) struct strbuf out = STRBUF_INIT;
	struct error e = ERROR_INIT;

	if (at < 0) {
		check(mkdtemp(dir) != NULL && atexit(remove_all) == 0);
		at = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	}
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		const uint8_t *end = size > 0 ? memchr(bytes, 0, size) : NULL;
		size_t n = end != NULL ? (size_t)(end - bytes) : size;

		write_file(at, files[i], bytes, n);
		bytes += n + (end != NULL);
		size -= n + (end != NULL);
	}
	check_result(import_run(dir, "s6", &out, &e), &out, &e);
	error_fini(&e);
	return 0;
}
