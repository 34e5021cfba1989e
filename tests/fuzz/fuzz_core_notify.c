/* Datagrams from anywhere: what is kept of them is in range, bounded, and clean. */
#include "base/text.h"
#include "base/util.h"
#include "core/notify.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct notify_message m, again;
	const char *data = (const char *)bytes;
	bool fine = notify_parse(data, size, &m);

	check(fine || m.words == 0);
	check(notify_parse(data, size, &again) == fine && again.words == m.words);
	check(memchr(m.status, '\0', sizeof(m.status)) != NULL);
	check(utf8_valid(m.status, strlen(m.status)));
	for (const char *p = m.status; *p != '\0'; p++)
		check((unsigned char)*p >= ' ' && *p != 0x7f);
	check(!(m.words & NOTIFY_MAINPID) || m.main_pid > 0);
	check(!(m.words & NOTIFY_ERRNO) || (m.errnum >= 0 && m.errnum < 4096));
	check((m.words & (NOTIFY_WATCHDOG | NOTIFY_WATCHDOG_TRIGGER)) !=
	      (NOTIFY_WATCHDOG | NOTIFY_WATCHDOG_TRIGGER));
	check(notify_line(data, size, &m) == 0 || memchr(data, '\n', size) != NULL);
	return 0;
}
