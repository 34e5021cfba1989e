/* launch BOARD FILES COMMAND...: becomes COMMAND, with a hard limit of FILES open files (0: as it is).
 * Notes on the board when that was, and sees to it that COMMAND does not outlive the runner. */
#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "board.h"

int main(int argc, char **argv)
{
	struct rlimit files;
	struct slot *s;
	rlim_t most;

	if (argc < 4)
		return 64;
	most = strtoul(argv[2], NULL, 10);
	if (most > 0 && getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_max = most;
		files.rlim_cur = files.rlim_cur < most ? files.rlim_cur : most;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	s = board_slot(argv[1], 0);
	board_started(s);
	munmap((void *)((uintptr_t)s & ~(uintptr_t)4095), 4096);
	execvp(argv[3], argv + 3);
	perror(argv[3]);
	return errno == ENOENT ? 127 : 126;
}
