/* Held descriptors and capture FIFOs. The FIFO belongs to the user that the child runs as, because
 * programs open /dev/stdout anew; its directory is the keeper's alone. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "keeper/hold.h"
#include "keeper/linereader.h"

static uint32_t hold_find(const struct hold *h, const char *key)
{
	uint32_t i = 0;

	while (i < h->n && strncmp(h->keys[i], key, HOLD_KEY_CAP) != 0)
		i++;
	return i;
}

void hold_put(struct hold *h, const char key[HOLD_KEY_CAP], int fd)
{
	uint32_t i = hold_find(h, key);

	if (i < h->n) {
		close(h->fds[i]);
		if (fd < 0) {
			h->n--;
			h->fds[i] = h->fds[h->n];
			memcpy(h->keys[i], h->keys[h->n], HOLD_KEY_CAP);
			return;
		}
	} else if (fd >= 0 && h->n == HOLD_MAX) {
		close(fd);
		return;
	} else if (fd < 0) {
		return;
	} else {
		h->n++;
		memcpy(h->keys[i], key, HOLD_KEY_CAP);
		h->keys[i][HOLD_KEY_CAP - 1] = '\0';
	}
	h->fds[i] = fd;
}

void fifo_name(char name[FIFO_NAME_CAP], uint32_t slot, int stream)
{
	snprintf(name, FIFO_NAME_CAP, FIFO_DIR "/%u.%s", slot, stream == 1 ? "out" : "err");
}

static int fifo_open(int run_dirfd, const char *name)
{
	struct stat st;
	int fd;

	if (mkfifoat(run_dirfd, name, 0600) < 0) {
		if (errno == ENOENT && mkdirat(run_dirfd, FIFO_DIR, 0700) == 0)
			return fifo_open(run_dirfd, name);
		if (errno != EEXIST)
			return -errno;
	}
	fd = openat(run_dirfd, name, O_RDWR | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) == 0 && S_ISFIFO(st.st_mode))
		return fd;
	close(fd);
	return -EEXIST;
}

int fifo_hold(int run_dirfd, uint32_t slot, struct slot *own, int stream, uid_t uid)
{
	int *held = &own->fifo[stream - 1];
	char name[FIFO_NAME_CAP];
	struct stat st;

	if (*held == 0) {
		int fd;

		fifo_name(name, slot, stream);
		fd = fifo_open(run_dirfd, name);
		if (fd < 0)
			return fd;
		if (fstat(fd, &st) < 0) {
			close(fd);
			return -errno;
		}
		*held = fd;
		own->fifo_uid[stream - 1] = st.st_uid;
	}
	if (own->fifo_uid[stream - 1] == uid)
		return 0;
	/* without the right to give it away there is none to become that user either; the child's
	 * own steps will say so */
	if (fchown(*held, uid, (gid_t)-1) < 0)
		return errno == EPERM ? 0 : -errno;
	own->fifo_uid[stream - 1] = uid;
	return 0;
}

void fifo_hold_existing(int run_dirfd, uint32_t slot, struct slot *own, int stream)
{
	char name[FIFO_NAME_CAP];
	struct stat st;
	int fd;

	fifo_name(name, slot, stream);
	fd = openat(run_dirfd, name, O_RDWR | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return;
	if (fstat(fd, &st) < 0 || !S_ISFIFO(st.st_mode)) {
		close(fd);
		return;
	}
	own->fifo[stream - 1] = fd;
	own->fifo_uid[stream - 1] = st.st_uid;
}

void fifo_remove_all(int run_dirfd)
{
	int fd = openat(run_dirfd, FIFO_DIR, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct direntry_reader r;
	const char *name;

	if (fd < 0)
		return;
	direntry_init(&r, fd);
	while ((name = direntry_next(&r, DIRENTRY_ALL)) != NULL)
		unlinkat(fd, name, 0);
	close(fd);
	unlinkat(run_dirfd, FIFO_DIR, AT_REMOVEDIR);
}
