/* The connection to procd's own web role. It is the one that procd makes itself: the role waits at
 * a socket that only it was given, so whoever answers there is it, and is told what may be looked
 * at and nothing else. Front thread. */
#ifndef CONTROL_WEB_H
#define CONTROL_WEB_H

#include "control/server.h"

/* Connect, if the configuration wants the role and there is no connection. The kernel keeps it for
 * the role until that accepts; where nobody listens (yet), whoever binds the socket calls again. */
void web_reach(struct control *s);
/* The connection is being freed. */
void web_left(struct control *s);
void web_stop(struct control *s);

#endif
