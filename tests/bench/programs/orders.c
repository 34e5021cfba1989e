/* orders SOCKET NAME: orders procd to reset the subsystem NAME, which changes nothing, once each
 * millisecond until its input ends, and prints how many microseconds the slowest answer took. The first
 * answer, with which it is ready, is a line of its own and does not count. */
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "board.h"

static int64_t ask(int fd, const char *request)
{
	static char answer[1 << 16];
	int64_t began = now_ns();
	size_t used = 0;
	ssize_t n;

	if (write(fd, request, strlen(request)) < 0)
		exit(1);
	do {
		n = read(fd, answer + used, sizeof(answer) - used);
		if (n <= 0)
			exit(1);
		used += (size_t)n;
	} while (answer[used - 1] != '\n');
	return (now_ns() - began) / 1000;
}

int main(int argc, char **argv)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	struct pollfd over = { .fd = STDIN_FILENO, .events = POLLIN };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int64_t longest = 0;
	char request[512];

	if (argc != 3)
		return 64;
	snprintf(a.sun_path, sizeof(a.sun_path), "%s", argv[1]);
	snprintf(request, sizeof(request), "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"subsystem.reset\","
		 "\"params\":{\"names\":[\"%s\"]}}\n", argv[2]);
	if (connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0) {
		perror(argv[1]);
		return 1;
	}
	printf("%lld\n", (long long)ask(fd, request));
	fflush(stdout);
	while (poll(&over, 1, 1) == 0) {
		int64_t took = ask(fd, request);

		longest = took > longest ? took : longest;
	}
	printf("%lld\n", (long long)longest);
	return 0;
}
