/* pump FILE COMMAND...: the floor of capturing output: starts COMMAND with its standard output in a
 * pipe, and copies what comes, 64 KiB at a time, into FILE. Ends when the pipe does. */
#include <errno.h>
#include <signal.h>
#include <sys/wait.h>

#include "board.h"

#define PIPE_BYTES (1 << 20)

int main(int argc, char **argv)
{
	static char buf[64 * 1024];
	int fds[2], file;
	ssize_t n;

	if (argc < 3)
		return 64;
	file = open(argv[1], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (file < 0 || pipe2(fds, O_CLOEXEC) < 0) {
		perror(argv[1]);
		return 1;
	}
	fcntl(fds[0], F_SETPIPE_SZ, PIPE_BYTES);
	if (vfork() == 0) {
		dup2(fds[1], STDOUT_FILENO);
		execv(argv[2], argv + 2);
		_exit(127);
	}
	close(fds[1]);
	while ((n = read(fds[0], buf, sizeof(buf))) != 0) {
		for (ssize_t done = 0; done < n;) {
			ssize_t put = write(file, buf + done, (size_t)(n - done));

			if (put < 0)
				return 1;
			done += put;
		}
	}
	wait(NULL);
	return 0;
}
