/* The client half of the verbs, one function per row (or per family of rows) of the verb table.
 * Each returns the exit code and has printed whatever there is to say. */
#ifndef COMMAND_VERBS_H
#define COMMAND_VERBS_H

#include "command/cli.h"

struct config;

extern const struct verb_option common_options[];	/* ends at a NULL name */
/* Text to stdout: 0, or EXIT_OS. */
int cli_print(const char *text, size_t n);

/* verbs_status.c */
int verb_status(const struct cli_options *o);
/* verbs_query.c */
int verb_is(const struct cli_options *o);
int verb_why(const struct cli_options *o);
/* verbs_metrics.c */
int verb_metrics(const struct cli_options *o);
/* verbs_graph.c */
int verb_graph(const struct cli_options *o);
/* verbs_top.c */
int verb_top(const struct cli_options *o);
/* verbs_logs.c, verbs_events.c, verbs_wait.c */
int verb_logs(const struct cli_options *o);
int verb_events(const struct cli_options *o);
int verb_wait(const struct cli_options *o);
/* verbs_act.c */
/* Of the names of an order, some failed: say on stdout which did not. DATA: of the error object. */
void act_tell_partly(const struct cli_options *o, const json_t *data);
int verb_act(const struct cli_options *o);
int verb_signal(const struct cli_options *o);
int verb_reload(const struct cli_options *o);
int verb_scale(const struct cli_options *o);
int verb_log_level(const struct cli_options *o);
int verb_reopen_logs(const struct cli_options *o);
int verb_shutdown(const struct cli_options *o);
/* verbs_profile.c */
int verb_profile(const struct cli_options *o);
/* complete.c */
int verb_complete(const struct cli_options *o);
/* verbs_upgrade.c */
int verb_upgrade(const struct cli_options *o);
/* verbs_doctor.c */
int verb_doctor(const struct cli_options *o);
/* verbs_http.c */
int verb_http(const struct cli_options *o);
/* verbs_simulate.c */
int verb_simulate(const struct cli_options *o);
/* verbs_config.c */
/* The configuration that O means, the caller's; or an exit code, and the errors were told. */
int verb_load_config(const struct cli_options *o, struct config **config);
int verb_plan(const struct cli_options *o);
int verb_reload_config(const struct cli_options *o);
int verb_check(const struct cli_options *o);
int verb_config(const struct cli_options *o);
/* verbs_import.c */
int verb_import(const struct cli_options *o);
int verb_features(const struct cli_options *o);
int verb_schema(const struct cli_options *o);
int verb_sample(const struct cli_options *o);
int verb_mdoc_keys(const struct cli_options *o);

#endif
