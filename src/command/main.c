/* The roof: which role is this process to play? */
#include <unistd.h>

#include "base/title.h"
#include "command/cli.h"
#include "command/run.h"
#include "command/selfcheck.h"

int main(int argc, char **argv)
{
	argv = title_init(argc, argv);
	if (argc > 1 && strcmp(argv[1], SUPERVISOR_ROLE) == 0)
		return run_supervisor(argc, argv);
	if (argc > 1 && strcmp(argv[1], KEEPER_ROLE) == 0)
		return run_keeper_again(argc, argv);
	if (argc > 1 && strcmp(argv[1], CHECK_ROLE) == 0)
		return run_check(argc, argv);
	return cli_main(argc, argv);	/* which comes back to run_keeper() for `run` */
}
