/* stopwatch TIMES PAUSE_MS COMMAND...: runs COMMAND so often, one after another, with its output thrown
 * away, and prints for each run how many microseconds it took, from before it is started until it
 * has ended. A run that fails ends it. */
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>

#include "board.h"

int main(int argc, char **argv)
{
	posix_spawn_file_actions_t to_null;
	long times = argc > 3 ? strtol(argv[1], NULL, 10) : 0;

	if (times <= 0)
		return 64;
	posix_spawn_file_actions_init(&to_null);
	posix_spawn_file_actions_addopen(&to_null, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
	for (; times > 0; times--) {
		int64_t began = now_ns();
		int status = 1;
		pid_t pid;

		if (posix_spawnp(&pid, argv[3], &to_null, NULL, argv + 3, environ) != 0 ||
		    waitpid(pid, &status, 0) != pid || status != 0) {
			fprintf(stderr, "stopwatch: %s: status %d\n", argv[3], status);
			return 1;
		}
		printf("%.1f\n", (double)(now_ns() - began) / 1e3);
		fflush(stdout);
		poll(NULL, 0, atoi(argv[2]));
	}
	posix_spawn_file_actions_destroy(&to_null);
	return 0;
}
