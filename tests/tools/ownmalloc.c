/* A program with an allocator of its own: nobody can stand in front of it. Waits for a signal. */
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

static char memory[1 << 20];
static size_t used;

void *malloc(size_t size)
{
	void *p = memory + used;

	used += (size + 15) / 16 * 16;
	return p;
}

void free(void *p)
{
	(void)p;
}

int main(void)
{
	void *volatile p = malloc(100);

	free(p);
	pause();
	return 0;
}
