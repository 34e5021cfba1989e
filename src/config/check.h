/* Rules that concern more than one key, or the world around. Inside the config room only. */
#ifndef CONFIG_CHECK_H
#define CONFIG_CHECK_H

#include "config/candidate.h"

/* Fills deadlines of [shutdown] that follow from the given ones; reports contradictions. */
void check_top(const struct candidate *c, struct config *config);
/* Warnings about commands that cannot be found (yet), directories that are missing (yet). */
void check_subsystems(const struct candidate *c, const struct config *config);
/* Names of subsystems that there are not, conditions that never come, cycles. */
void check_edges(const struct candidate *c, const struct config *config);
/* Sockets that two would listen on, and too many of one. */
void check_listen(const struct candidate *c, const struct config *config);
/* Raises this process's limit on open files to what CONFIG needs; an error where that is too much,
 * a warning where it leaves too little for clients. A saved configuration is never refused. */
void check_descriptors(const struct candidate *c, const struct config *config);

/* Warn of files that others than root can change, when root is to obey them (check_owner.c). */
void check_owners(const struct candidate *c);

#endif
