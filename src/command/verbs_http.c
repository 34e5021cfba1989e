/* `procd http`: not for people. procd starts it as procd.http when [http] asks for it. */
#include <stdlib.h>

#include "base/json.h"
#include "command/verbs.h"
#include "http/role.h"

int verb_http(const struct cli_options *o)
{
	const char *owner = cli_value(o, "owner");
	struct http_role role = {
		.name = o->name != NULL ? o->name : "procd",
		.owner = owner != NULL ? (uid_t)strtoul(owner, NULL, 10) : (uid_t)-1,
		.token = cli_value(o, "token") != NULL,
	};

	json_setup();
	return http_role_run(&role);
}
