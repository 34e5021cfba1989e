/* stopwatch TIMES COMMAND...: runs COMMAND so often, one after another, with its output thrown away,
 * and prints for each run how many microseconds it took from the start of the start to its end. A
 * run that fails ends it. */
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>

#include "board.h"

int main(int argc, char **argv)
{
	posix_spawn_file_actions_t to_null;
	long times = argc > 2 ? strtol(argv[1], NULL, 10) : 0;

	if (times <= 0)
		return 64;
	posix_spawn_file_actions_init(&to_null);
	posix_spawn_file_actions_addopen(&to_null, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
	for (; times > 0; times--) {
		int64_t began = now_ns();
		int status = 1;
		pid_t pid;

		if (posix_spawnp(&pid, argv[2], &to_null, NULL, argv + 2, environ) != 0 ||
		    waitpid(pid, &status, 0) != pid || status != 0) {
			fprintf(stderr, "stopwatch: %s: status %d\n", argv[2], status);
			return 1;
		}
		printf("%.1f\n", (double)(now_ns() - began) / 1e3);
		fflush(stdout);
	}
	posix_spawn_file_actions_destroy(&to_null);
	return 0;
}
