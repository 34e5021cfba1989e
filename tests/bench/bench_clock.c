/* bench_clock [READS]: ns per read of the monotonic clock, from the processor's counter and from
 * clock_gettime(), and how often the first went backward. Text on stdout. */
#include "base/clock.h"
#include "base/clock_tsc.h"
#include "config.h"

static void bench(const char *name, int64_t (*read)(void), unsigned long n)
{
	int64_t began = clock_mono_ns(), last = 0, took;
	unsigned long backward = 0;

	for (unsigned long i = 0; i < n; i++) {
		int64_t now = read();

		backward += now < last;
		last = now;
	}
	took = clock_mono_ns() - began;
	printf("%-14s %6.1f ns/read  backward %lu\n", name, (double)took / (double)n, backward);
}

int main(int argc, char **argv)
{
	unsigned long n = argc > 1 ? strtoul(argv[1], NULL, 10) : 20000000;

	bench("clock_gettime", clock_mono_ns, n);
#if WITH_HIGH_RES_TIMING
	if (!clock_tsc_usable()) {
		puts("tsc            not fit here");
		return 0;
	}
	clock_tsc_start(NS_PER_SEC);
	bench("tsc", clock_tsc_ns, n);
#else
	puts("tsc            not built (--enable-high-res-timing)");
#endif
	return 0;
}
