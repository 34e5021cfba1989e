/* The record table that a dead keeper left, as arbitrary bytes. Opening it never fails for what is
 * in it; a verdict other than "damaged" is only given where seals and state agree; and of a record
 * that is sealed after the noise was put in exactly that is believed. */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "keeper/record.h"
#include "fuzz.h"

#define HEADER sizeof(struct records_header)

static char base[64];

static void directory_remove(void)
{
	rmdir(base);
}

static int directory(void)
{
	static int fd = -1;

	if (fd >= 0)
		return fd;
	snprintf(base, sizeof(base), "%s/fuzz-record-XXXXXX",
		 access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	check(mkdtemp(base) != NULL);
	fd = open(base, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	check(fd >= 0);
	atexit(directory_remove);
	return fd;
}

static void judge(const struct records *r)
{
	for (uint32_t slot = 0; slot < r->header->nslots; slot++) {
		const struct record *rec = record_get(r, slot);
		uint32_t state = atomic_load(&rec->state);

		switch (record_judge(rec, slot)) {
		case RECORD_EMPTY:
			check(state == RECORD_FREE || state == RECORD_GONE);
			break;
		case RECORD_ALIVE:
			check(state == RECORD_RUNNING && rec->pid > 0 && rec->slot == slot);
			break;
		case RECORD_ENDED:
			check(state >= RECORD_RUNNING && state <= RECORD_GONE && rec->slot == slot);
			break;
		case RECORD_DAMAGED:
			break;
		}
	}
}

static void seal_and_judge(struct record *rec)
{
	rec->slot = 0;
	rec->pid = 4711;
	atomic_store(&rec->end_seal, 0);
	record_seal(rec);
	atomic_store(&rec->state, RECORD_RUNNING);
	check(record_judge(rec, 0) == RECORD_ALIVE);
	check(record_judge(rec, 1) == RECORD_DAMAGED);
	record_seal_end(rec);
	check(record_judge(rec, 0) == RECORD_ENDED);
	atomic_store(&rec->state, RECORD_GONE);
	check(record_judge(rec, 0) == RECORD_ENDED);
	rec->wait_status ^= 1;
	check(record_judge(rec, 0) == RECORD_DAMAGED);
	record_clear(rec);
	check(record_judge(rec, 0) == RECORD_EMPTY);
}

/* The first byte: bit 0 cuts the file behind the input, bit 1 lays it over the header, too. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	int dirfd = directory(), fd;
	bool set_aside, over_header;
	struct records r;
	char group[32];
	off_t at;

	if (size < 2 || size > HEADER + 16384)
		return 0;
	over_header = bytes[0] & 2;
	unlinkat(dirfd, RECORDS_FILE, 0);
	check(records_create(&r, dirfd, 16, &set_aside) == 0 && !set_aside);
	records_unmap(&r);
	fd = openat(dirfd, RECORDS_FILE, O_RDWR | O_CLOEXEC);
	check(fd >= 0);
	at = over_header ? 0 : (off_t)HEADER;
	check(pwrite(fd, bytes + 1, size - 1, at) == (ssize_t)size - 1);
	if (bytes[0] & 1)
		check(ftruncate(fd, at + (off_t)size - 1) == 0);
	close(fd);
	check(records_create(&r, dirfd, 16, &set_aside) == 0);
	check(over_header || !set_aside);
	check(r.header->nslots >= 16);
	records_group_get(r.header, group);
	check(strlen(group) < sizeof(group));
	judge(&r);
	seal_and_judge(record_get(&r, 0));
	records_unmap(&r);
	unlinkat(dirfd, RECORDS_FILE, 0);
	unlinkat(dirfd, RECORDS_FILE ".bad", 0);
	return 0;
}
