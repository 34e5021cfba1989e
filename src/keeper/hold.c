/* Held descriptors and FIFO ends. A FIFO belongs to the user that the child runs as, because
 * programs open /dev/stdout anew. */
#include "keeper/hold.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "keeper/child.h"
#include "keeper/fifo.h"

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

int fifo_dir_take(int run_dirfd)
{
	int fd = fifo_dir_open(run_dirfd);
	int ret = fd < 0 ? fd : dup3(fd, LOW_FIFO, O_CLOEXEC) < 0 ? -errno : 0;

	closep(&fd);
	return ret;
}

static int hold_as(struct slot *own, int stream, int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0) {
		int err = -errno;

		close(fd);
		return err;
	}
	own->fifo[stream - 1] = fd;
	own->fifo_uid[stream - 1] = st.st_uid;
	return 0;
}

int fifo_hold(int run_dirfd, uint32_t slot, struct slot *own, int stream, uid_t uid)
{
	uint32_t *owner = &own->fifo_uid[stream - 1];
	char name[FIFO_NAME_CAP];

	if (own->fifo[stream - 1] == 0) {
		int fd, ret;

		fifo_name(name, slot, stream == 2);
		fd = fifo_open(LOW_FIFO, name);
		if (fd == -ENOENT && fifo_dir_take(run_dirfd) == 0)
			fd = fifo_open(LOW_FIFO, name);	/* somebody removed the directory */
		ret = fd < 0 ? fd : hold_as(own, stream, fd);
		if (ret < 0)
			return ret;
	}
	if (*owner == uid)
		return 0;
	/* without the right to give it away there is none to become that user either; the child's
	 * own steps will say so */
	if (fchown(own->fifo[stream - 1], uid, (gid_t)-1) < 0)
		return errno == EPERM ? 0 : -errno;
	*owner = uid;
	return 0;
}

void fifo_hold_existing(uint32_t slot, struct slot *own, int stream)
{
	char name[FIFO_NAME_CAP];
	int fd;

	fifo_name(name, slot, stream == 2);
	fd = fifo_open_existing(LOW_FIFO, name);
	if (fd >= 0)
		hold_as(own, stream, fd);
}

bool fifos_empty(const struct slot *own)
{
	bool any = false;

	for (size_t i = 0; i < ARRAY_LEN(own->fifo); i++) {
		int waiting = 0;

		if (own->fifo[i] == 0)
			continue;
		if (ioctl(own->fifo[i], FIONREAD, &waiting) < 0 || waiting > 0)
			return false;
		any = true;
	}
	return any;
}
