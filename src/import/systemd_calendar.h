/* Times of day as systemd.time(7) writes them, for procd's schedule. Pure. Inside the import room
 * only. */
#ifndef IMPORT_SYSTEMD_CALENDAR_H
#define IMPORT_SYSTEMD_CALENDAR_H

#include "base/strbuf.h"

/* Append the line of cron that means TEXT. NULL, or why there is none (OUT is empty then). */
const char *calendar_cron(const char *text, struct strbuf *out);

#endif
