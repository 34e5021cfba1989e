/* The one subsystem that is procd's own (the web role). It is addressed by its exact name only,
 * never by a pattern, and no configuration declares it. */
#ifndef BASE_OWN_H
#define BASE_OWN_H

#define OWN_SUBSYSTEM "procd.http"

#endif
