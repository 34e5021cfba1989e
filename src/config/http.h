/* [http], and the subsystem that follows from it. Inside the config room, but for the path. */
#ifndef CONFIG_HTTP_H
#define CONFIG_HTTP_H

#include "config/candidate.h"

/* The settings of procd's own subsystem, as if they stood where http.listen stands; NULL: it is
 * off, or that was complained about. The top level is resolved already. The caller frees it. */
struct scope *http_scope(struct candidate *c, const struct config *config);

/* Where the web role waits for procd; the caller frees it. Any thread. */
char *http_socket_path(const struct config *config);

#endif
