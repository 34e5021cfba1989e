/* What `procd simulate` is told on its command line: a scenario, and behind the first LF how long things
 * take. Each is read, or has one line that says what is wrong. */
#include <stdint.h>
#include <string.h>

#include "base/alloc.h"
#include "simulate/scenario.h"
#include "fuzz.h"

/* It quotes TEXT as it is. */
static void check_error(bool fine, const char *text, struct error *e)
{
	check(fine != error_is_set(e));
	if (!fine && strchr(text, '\n') == NULL)
		check(strchr(e->message, '\n') == NULL);
	error_fini(e);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	auto_free(freep) char *text = x_strndup((const char *)bytes, size);
	struct scenario scenario = { 0 };
	struct takes takes = TAKES_INIT;
	struct error e = ERROR_INIT;
	char *rest = strchr(text, '\n');

	if (rest != NULL)
		*rest++ = '\0';
	check_error(scenario_parse(text, &scenario, &e), text, &e);
	e = (struct error)ERROR_INIT;
	check_error(takes_parse(rest, &takes, &e), rest, &e);
	check(takes_of(&takes, "web@1") >= 0);
	check(scenario.name == NULL || scenario_means(scenario.name, scenario.name));
	scenario_fini(&scenario);
	takes_fini(&takes);
	return 0;
}
