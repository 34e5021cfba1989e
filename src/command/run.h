/* The daemon's two roles. */
#ifndef COMMAND_RUN_H
#define COMMAND_RUN_H

/* argv[1] of the supervisor role, as the keeper passes it: never typed by a user. */
#define SUPERVISOR_ROLE "@supervisor"

/* argv[1] of the keeper role when it takes the place of another keeper in the same process. */
#define KEEPER_ROLE "@keeper"

/* `procd [run] [-c FILE] [--set ...]...`: become the keeper. Returns the exit code. */
int run_keeper(int argc, char **argv);
/* `procd @supervisor FD RUN_DIR <the keeper's own arguments>`. Returns the exit code. */
int run_supervisor(int argc, char **argv);
/* `procd @keeper HANDOVER <the keeper's own arguments>`. Returns the exit code. */
int run_keeper_again(int argc, char **argv);
/* `procd @check PROTO HANDOVER RUN_DIR <the keeper's own arguments>`. Returns the exit code. */
int run_check(int argc, char **argv);

#endif
