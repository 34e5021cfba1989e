/* The listening sockets of a process whose keeper was killed: they live on in the process alone.
 * Keeper only. */
#ifndef KEEPER_FETCH_H
#define KEEPER_FETCH_H

struct keeper;
struct km_fetch;

/* Send copies of the sockets that the process, which M is proven to mean, has among the descriptors
 * that it was passed (KM_FETCHED). Takes no longer than FETCH_MAX_MS, whatever the process did to
 * them; needs the right to trace it. Source: pidfd_getfd(2), sd_listen_fds(3). */
#define FETCH_MAX_MS 100
void fetch_sockets(struct keeper *k, const struct km_fetch *m);

#endif
