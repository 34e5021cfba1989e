/* `procd run`: this process becomes the keeper; the keeper executes procd again as the supervisor,
 * with the same arguments behind the role's own two. */
#include "command/run.h"

#include <errno.h>
#include <fcntl.h>

#include "base/alloc.h"
#include "command/ad_hoc.h"
#include "command/cli.h"
#include "command/selfcheck.h"
#include "config/options.h"
#include "keeper/keeper.h"

/* The arguments that both roles are executed with again; ARGS is what the user gave. */
static void role_arguments(struct keeper_options *options, struct strlist *keeper,
			   struct strlist *supervisor, const char *argv0, int argc,
			   char *const *args)
{
	strlist_add(keeper, argv0);
	strlist_add(keeper, KEEPER_ROLE);
	strlist_add(keeper, "{HANDOVER}");
	strlist_add(supervisor, argv0);
	strlist_add(supervisor, SUPERVISOR_ROLE);
	strlist_add(supervisor, "{FD}");
	strlist_add(supervisor, "{RUN_DIR}");
	for (int i = 0; i < argc; i++) {
		strlist_add(keeper, args[i]);
		strlist_add(supervisor, args[i]);
	}
	options->keeper_argv = keeper->items;
	options->supervisor_argv = supervisor->items;
}

int run_keeper(int argc, char **argv)
{
	struct keeper_options options = { .title = "procd: keeper" };
	auto_free(strlist_fini) struct strlist keeper = STRLIST_INIT, supervisor = STRLIST_INIT;

	keeper_block_signals();
	role_arguments(&options, &keeper, &supervisor, argv[0], argc - 1, argv + 1);
	return keeper_run(&options);
}

int run_keeper_again(int argc, char **argv)
{
	struct keeper_options options = { .title = "procd: keeper" };
	auto_free(strlist_fini) struct strlist keeper = STRLIST_INIT, supervisor = STRLIST_INIT;

	keeper_block_signals();
	if (argc < 3) {
		fprintf(stderr, "procd: %s is not for the command line\n", KEEPER_ROLE);
		return EXIT_USAGE;
	}
	role_arguments(&options, &keeper, &supervisor, argv[0], argc - 3, argv + 3);
	return keeper_resume(&options, argv[2]);
}

/* What the user's arguments say, for a role that they stand behind. */
struct role {
	struct cli_options cli;
	struct strlist sets;
	struct run_options options;
};
#define ROLE_INIT { .cli = CLI_OPTIONS_INIT, .sets = STRLIST_INIT }

static void role_fini(struct role *r)
{
	cli_options_fini(&r->cli);
	strlist_fini(&r->sets);
}

/* ARGV[0] is passed over. CLI_GO_ON or an exit code. */
static int role_parse(struct role *r, int argc, char **argv)
{
	int rc = cli_parse(&r->cli, argc, argv);

	if (rc != CLI_GO_ON)
		return rc;
	if (r->cli.args.n > 0) {
		const char *restart = cli_value(&r->cli, "restart");

		if (restart != NULL && enumtext_find(&restart_policy_text, restart) < 0)
			return cli_fail_usage(&r->cli, "run: --restart \"%s\": not one of never, "
					      "always, on-failure, exponential-backoff", restart);
		r->options.no_file = true;
		r->options.main_name = AD_HOC_SUBSYSTEM;
		ad_hoc_sets(&r->cli.args, restart, &r->sets);
	}
	for (size_t i = 0; i < r->cli.sets.n; i++)
		strlist_add(&r->sets, r->cli.sets.items[i]);
	r->options.config_path = r->cli.config;
	r->options.sets = &r->sets;
	r->options.argc = argc - 1;
	r->options.argv = argv + 1;
	return CLI_GO_ON;
}

int run_supervisor(int argc, char **argv)
{
	auto_free(role_fini) struct role role = ROLE_INIT;
	int fd = argc > 3 ? atoi(argv[2]) : -1;
	const char *run_dir;
	int rc;

	if (fd < 3 || fcntl(fd, F_SETFD, FD_CLOEXEC) < 0) {
		fprintf(stderr, "procd: %s is not for the command line\n", SUPERVISOR_ROLE);
		return EXIT_USAGE;
	}
	run_dir = argv[3];
	rc = role_parse(&role, argc - 3, argv + 3);	/* RUN_DIR stands where argv[0] is skipped */
	if (rc != CLI_GO_ON)
		return rc;
	return supervisor_run(fd, run_dir, &role.options);
}

int run_check(int argc, char **argv)
{
	auto_free(role_fini) struct role role = ROLE_INIT;
	int rc;

	if (argc < 5) {
		fprintf(stderr, "procd: %s is not for the command line\n", CHECK_ROLE);
		return EXIT_USAGE;
	}
	rc = role_parse(&role, argc - 4, argv + 4);
	if (rc != CLI_GO_ON)
		return rc;
	return selfcheck_run(argv[4], (uint32_t)strtoul(argv[2], NULL, 10),
			     (uint32_t)strtoul(argv[3], NULL, 10),
			     &role.options);
}
