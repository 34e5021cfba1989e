/* The served half of the verb table: one function per method. Front thread. Parameters were checked
 * against the row's list of names; each function checks their types itself. */
#ifndef CONTROL_METHODS_H
#define CONTROL_METHODS_H

#include "control/rpc.h"

struct connection;

/* read_methods.c: answered at once from board, ring and configuration */
void method_status(struct connection *c, const struct rpc_request *r);
void method_why(struct connection *c, const struct rpc_request *r);
void method_graph(struct connection *c, const struct rpc_request *r);
void method_events_get(struct connection *c, const struct rpc_request *r);
void method_events_subscribe(struct connection *c, const struct rpc_request *r);
void method_config_get(struct connection *c, const struct rpc_request *r);
void method_features(struct connection *c, const struct rpc_request *r);

/* metrics.c */
void method_metrics(struct connection *c, const struct rpc_request *r);

/* logs.c */
void method_logs_get(struct connection *c, const struct rpc_request *r);
void method_logs_follow(struct connection *c, const struct rpc_request *r);

/* act_methods.c: become orders for the main thread */
void method_start(struct connection *c, const struct rpc_request *r);
void method_stop(struct connection *c, const struct rpc_request *r);
void method_restart(struct connection *c, const struct rpc_request *r);
void method_signal(struct connection *c, const struct rpc_request *r);
void method_reload(struct connection *c, const struct rpc_request *r);
void method_scale(struct connection *c, const struct rpc_request *r);
void method_reset(struct connection *c, const struct rpc_request *r);
void method_plan(struct connection *c, const struct rpc_request *r);
void method_reload_config(struct connection *c, const struct rpc_request *r);
void method_log_level(struct connection *c, const struct rpc_request *r);
void method_reopen_logs(struct connection *c, const struct rpc_request *r);
void method_shutdown(struct connection *c, const struct rpc_request *r);
void method_upgrade(struct connection *c, const struct rpc_request *r);

/* profile_methods.c */
void method_profile_start(struct connection *c, const struct rpc_request *r);
void method_profile_stop(struct connection *c, const struct rpc_request *r);

#endif
