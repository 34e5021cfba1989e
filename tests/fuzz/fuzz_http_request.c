/* Six lines: method, path, Host, Authorization, Accept and the file of the token. Whoever is let in has
 * named this machine and shown the whole token. */
#include "base/alloc.h"
#include "http/request.h"
#include "fuzz.h"

/* The next line, or what is left; an empty one stands for a header that is not there. */
static char *next(const char **at, const char *end)
{
	const char *stop = memchr(*at, '\n', (size_t)(end - *at));
	char *line = x_strndup(*at, (size_t)((stop != NULL ? stop : end) - *at));

	*at = stop != NULL ? stop + 1 : end;
	return line;
}

static const char *or_none(const char *text)
{
	return *text != '\0' ? text : NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	const char *at = (const char *)bytes, *end = at + size, *why;
	auto_free(freep) char *method = next(&at, end), *path = next(&at, end);
	auto_free(freep) char *host = next(&at, end), *shown = next(&at, end);
	auto_free(freep) char *accept = next(&at, end);
	auto_free(freep) char *token = http_token_read(at, (size_t)(end - at), &why);
	struct http_request r = {
		.method = method, .path = path, .host = or_none(host),
		.authorization = or_none(shown), .accept = or_none(accept),
	};
	struct http_policy policy = { .token = token, .host_name = "box", .this_machine = size % 2 };
	enum http_page page;
	int status = http_judge(&policy, &r, &page);

	http_prefers_older_text(r.accept);
	check((token == NULL) == (why != NULL));
	check(strcmp(http_status_text(status), http_status_text(0)) != 0);
	if (status == 200 || status == 404 || status == 405) {
		check(r.host != NULL && http_host_is_ours(&policy, r.host));
		check(token == NULL || (r.authorization != NULL &&
					strlen(shown) >= 7 + strlen(token) &&
					strcmp(shown + strlen(shown) - strlen(token), token) == 0));
	}
	return 0;
}
