/* subscriber SOCKET BOARD N COUNT: kills services of procd, COUNT in all, one after another, and prints
 * for each how many microseconds later the line that tells of it was there. */
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "board.h"

static const char request[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"events.subscribe\",\"params\":{}}\n";
static char buf[1 << 20];
static size_t used;

static void fill(int fd)
{
	ssize_t n = used < sizeof(buf) - 1 ? read(fd, buf + used, sizeof(buf) - 1 - used) : 0;

	if (n <= 0) {
		fprintf(stderr, "subscriber: the stream has ended: %zu bytes: %.200s\n", used, buf);
		exit(1);
	}
	used += (size_t)n;
	buf[used] = '\0';
}

/* Take lines off the stream up to the first with TEXT. */
static void wait_for(int fd, const char *text)
{
	for (;;) {
		char *end = memchr(buf, '\n', used);
		int found;

		if (end == NULL) {
			fill(fd);
			continue;
		}
		*end = '\0';
		found = strstr(buf, text) != NULL;
		used -= (size_t)(end + 1 - buf);
		memmove(buf, end + 1, used + 1);
		if (found)
			return;
	}
}

int main(int argc, char **argv)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	size_t n, count;

	if (argc != 5)
		return 64;
	n = strtoul(argv[3], NULL, 10);
	count = strtoul(argv[4], NULL, 10);
	snprintf(a.sun_path, sizeof(a.sun_path), "%s", argv[1]);
	if (connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0 ||
	    write(fd, request, sizeof(request) - 1) < 0) {
		perror(argv[1]);
		return 1;
	}
	wait_for(fd, "\"since\"");
	for (size_t k = 0; k < count; k++) {
		struct slot *s = board_slot(argv[2], k % n + 1);
		uint64_t starts = s->starts;
		char text[64];
		int64_t began;

		snprintf(text, sizeof(text), "\"pid\":%lld,\"exit_code\":null,\"signal\":\"SIGKILL\"",
			 (long long)s->pid);
		began = now_ns();
		kill((pid_t)s->pid, SIGKILL);
		wait_for(fd, text);
		printf("%.1f\n", (double)(now_ns() - began) / 1e3);
		while (__atomic_load_n(&s->starts, __ATOMIC_ACQUIRE) == starts)
			poll(NULL, 0, 1);
		munmap((void *)((uintptr_t)s & ~(uintptr_t)4095), 4096);
	}
	return 0;
}
