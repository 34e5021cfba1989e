/* `procd run`: this process becomes the keeper; the keeper executes procd again as the supervisor,
 * with the same arguments behind the role's own two. */
#include "command/run.h"

#include <errno.h>
#include <fcntl.h>

#include "base/alloc.h"
#include "command/ad_hoc.h"
#include "command/cli.h"
#include "command/supervisor.h"
#include "keeper/keeper.h"

int run_keeper(int argc, char **argv)
{
	struct keeper_options options = { .title = "procd: keeper" };
	auto_free(strlist_fini) struct strlist args = STRLIST_INIT;

	keeper_block_signals();
	strlist_add(&args, argv[0]);
	strlist_add(&args, SUPERVISOR_ROLE);
	strlist_add(&args, "{FD}");
	strlist_add(&args, "{RUN_DIR}");
	for (int i = 1; i < argc; i++)
		strlist_add(&args, argv[i]);
	options.supervisor_argv = args.items;
	return keeper_run(&options);
}

int run_supervisor(int argc, char **argv)
{
	auto_free(cli_options_fini) struct cli_options cli = CLI_OPTIONS_INIT;
	auto_free(strlist_fini) struct strlist sets = STRLIST_INIT;
	struct run_options options = { 0 };
	int fd = argc > 3 ? atoi(argv[2]) : -1;
	const char *run_dir;
	int rc;

	if (fd < 3 || fcntl(fd, F_SETFD, FD_CLOEXEC) < 0) {
		fprintf(stderr, "procd: %s is not for the command line\n", SUPERVISOR_ROLE);
		return EXIT_USAGE;
	}
	run_dir = argv[3];
	rc = cli_parse(&cli, argc - 3, argv + 3);	/* RUN_DIR stands where argv[0] is skipped */
	if (rc != CLI_GO_ON)
		return rc;
	if (cli.args.n > 0) {
		options.no_file = true;
		options.main_name = AD_HOC_SUBSYSTEM;
		ad_hoc_sets(&cli.args, cli_value(&cli, "restart"), &sets);
	}
	for (size_t i = 0; i < cli.sets.n; i++)
		strlist_add(&sets, cli.sets.items[i]);
	options.config_path = cli.config;
	options.sets = &sets;
	return supervisor_run(fd, run_dir, &options);
}
