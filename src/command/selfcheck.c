/* The role of a new executable that is asked whether it could take over. It looks at what a
 * supervisor would read, and reads it in the same way, but from copies: the files belong to the
 * supervisor that runs. */
#include "command/selfcheck.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "config.h"
#include "core/memory.h"
#include "keeper/keeper.h"

#define ROOM_NEEDED (64 * 1024)
#define MEMORY_MAX_BYTES (256u << 20)

static int no(const char *what, int errnum)
{
	fprintf(stderr, "procd: %s%s%s\n", what, errnum ? ": " : "",
		errnum ? strerror(errnum) : "");
	return EXIT_FAILED;
}

static int check_records(int dirfd)
{
	struct records records = { .fd = -1 };
	int fd = openat(dirfd, RECORDS_FILE, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	int ret;

	if (fd < 0)
		return no("cannot open the records of the children", errno);
	ret = records_map(&records, fd);
	if (ret == -EBADMSG)
		return no("the records of the children are damaged or of another version", 0);
	if (ret < 0)
		return no("cannot map the records of the children", -ret);
	records_unmap(&records);
	return 0;
}

/* A copy, because opening it is allowed to repair it. */
static int memory_copy(int dirfd, int *copy)
{
	auto_free(strbuf_fini) struct strbuf bytes = STRBUF_INIT;
	auto_free(closep) int fd = openat(dirfd, MEMORY_FILE, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	int ret;

	if (fd < 0)
		return -errno;
	ret = fd_read_all(fd, MEMORY_MAX_BYTES, &bytes);
	if (ret < 0)
		return ret;
	*copy = (int)syscall(SYS_memfd_create, "procd-check", MFD_CLOEXEC);
	if (*copy < 0)
		return -errno;
	return fd_write_all(*copy, bytes.buf, bytes.len);
}

static int check_memory(int dirfd)
{
	auto_free(closep) int fd = -1;
	struct memory m;
	bool good;
	int ret = memory_copy(dirfd, &fd);

	if (ret < 0)
		return no("cannot read the saved run-time state", -ret);
	memory_open(&m, fd);
	good = m.base != NULL && m.head_valid && m.dropped == 0;
	memory_close(&m);
	return good ? 0 : no("the saved run-time state is damaged or of another version", 0);
}

/* Taking over writes into the run directory; when that is full, later is better. */
static int check_room(int dirfd)
{
	auto_free(closep) int fd = openat(dirfd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	int ret;

	if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == ENOENT))
		return 0;	/* no such thing on this file system */
	if (fd < 0)
		return no("cannot write to the run directory", errno);
	ret = posix_fallocate(fd, 0, ROOM_NEEDED);
	return ret == 0 || ret == EOPNOTSUPP || ret == EINVAL ? 0
		: no("there is no room in the run directory", ret);
}

static int check_config(const char *run_dir, const struct run_options *options)
{
	auto_free(strbuf_fini) struct strbuf bundle = STRBUF_INIT;
	struct config *config = NULL;
	uint64_t generation = 1;
	int rc = supervisor_config(run_dir, options, &config, &bundle, &generation);

	config_free(config);
	return rc;
}

int selfcheck_run(const char *run_dir, uint32_t proto, uint32_t handover,
		  const struct run_options *options)
{
	static const char agreed[] = CHECK_WORD PROCD_VERSION "\n";
	auto_free(closep) int dirfd = open(run_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rc;

	if (proto != 0 && proto != KEEPER_PROTO_VERSION)
		return no("procd " PROCD_VERSION " does not speak the protocol of the running "
			  "keeper; upgrade --keeper replaces both", 0);
	if (handover != 0 && handover != keeper_handover_layout())
		return no("procd " PROCD_VERSION " cannot read what the running keeper would hand "
			  "over to it", 0);
	if (dirfd < 0)
		return no("cannot open the run directory", errno);
	rc = check_records(dirfd);
	if (rc == 0)
		rc = check_memory(dirfd);
	if (rc == 0)
		rc = check_room(dirfd);
	if (rc == 0)
		rc = check_config(run_dir, options);
	if (rc == 0 && fd_write_all(STDOUT_FILENO, agreed, sizeof(agreed) - 1) < 0)
		rc = EXIT_OS;
	return rc;
}
