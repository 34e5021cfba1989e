/* What /proc and a cgroup say of a process whose name anybody may choose. The first byte chooses the
 * file; nothing is read behind the end, and what is believed is bounded. */
#include <stdlib.h>

#include "base/util.h"
#include "metrics/procfile.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct proc_stat stat;
	pid_t pids[8];
	uint64_t n;
	char *text;

	if (size == 0 || size > 8192)
		return 0;
	text = malloc(size);	/* without the first byte, with a final NUL */
	if (text == NULL)
		abort();
	memcpy(text, bytes + 1, size - 1);
	text[size - 1] = 0;
	if (bytes[0] % 4 == 0)
		(void)proc_stat_parse(text, size - 1, &stat);
	else if (bytes[0] % 4 == 1)
		(void)keyed_number(text, "usage_usec", &n);
	else if (bytes[0] % 4 == 2)
		(void)pressure_total(text, "some", &n);
	else
		for (size_t found = pid_list_parse(text, pids, ARRAY_LEN(pids)); found-- > 0;)
			if (pids[found] <= 0)
				abort();
	free(text);
	return 0;
}
