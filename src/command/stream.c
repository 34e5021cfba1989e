/* Long conversations. They survive the death of a supervisor: the keeper keeps the listening
 * socket, so a new connection waits in its backlog until the successor accepts it. */
#include "command/stream.h"

#include <errno.h>
#include <time.h>

#include "base/clock.h"

int option_count(const struct cli_options *o, const char *name, int64_t *out)
{
	const char *text = cli_value(o, name);
	char *end;
	long long value;

	if (!text)
		return 0;
	errno = 0;
	value = strtoll(text, &end, 10);
	if (*text < '0' || *text > '9' || *end != '\0' || errno != 0)
		return cli_fail_usage(o, "--%s: \"%s\" is not a whole number", name, text);
	*out = value;
	return 0;
}

void stream_unlimited(struct call *call)
{
	if (call->o->timeout_ms < 0)
		call->client.deadline_ns = INT64_MAX;
}

int stream_again(struct call *call, int rc)
{
	if (rc != 0 && rc != -ECONNRESET && rc != -EPIPE)
		return call_broken(call, rc);
	/* One that dies at once again and again must not be asked at full speed. */
	nanosleep(&(struct timespec){ .tv_nsec = 20 * NS_PER_MS }, NULL);
	return call_reopen(call) == 0 ? 0 : call_broken(call, rc);
}
