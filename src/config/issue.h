/* Collecting messages about the configuration. Inside the config room only. */
#ifndef CONFIG_ISSUE_H
#define CONFIG_ISSUE_H

#include "config/config.h"

/* Where something was written. FILE is the name to show, NULL for command line and environment,
 * whose LABEL ("DAEMON_NAME", "--set name") then opens the message. Nothing is owned. */
struct place {
	const char *file;
	const char *label;
	int line, column;
};

void diag_error(struct config_diag *d, const struct place *at, const char *fmt, ...)
	PRINTF_LIKE(3, 4);
void diag_warn(struct config_diag *d, const struct place *at, const char *fmt, ...)
	PRINTF_LIKE(3, 4);
/* What kind of error the last message tells of; ERROR_CONFIG_INVALID unless this is called. */
void diag_code(struct config_diag *d, enum error_code code);
/* By file (in order of first mention), line and column; command line and environment last. */
void diag_sort(struct config_diag *d);

#endif
