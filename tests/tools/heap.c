/* A program whose heap is known to the byte. The words are carried out from left to right:
 *
 *   known        10 blocks of 100 bytes of which 3 stay, 3000 bytes that become 5000 and go, and an
 *                aligned block of 333 that stays: 13 blocks, 9333 bytes, 5300 at the peak, 633 left
 *   grow N       N blocks of 32 bytes that stay
 *   threads N    N threads, each 1000 times 48 bytes and back; meanwhile three forked children that
 *                use memory of 77 bytes and end by exit(3)
 *   spawn        fork and execute this program with the word "known", and wait for it
 *   exec         execute this program with the rest of the words
 *   handler      SIGTERM ends it by exit(7)
 *   say          a line on standard output
 *   pause        wait for signals, for ever
 *   quit         end by _exit(3)
 *   raise N      end by signal N */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void *volatile keep[10], *volatile more;

__attribute__((noinline)) static void *leaf(size_t n)
{
	more = malloc(n);
	return more;
}

__attribute__((noinline)) static void *middle(size_t n)
{
	more = leaf(n);
	return more;
}

static void known(void)
{
	void *aligned = NULL;

	/* one place for all, however willing to unroll the compiler is */
	for (volatile int i = 0; i < 10; i++)
		keep[i] = middle(100);
	for (int i = 0; i < 7; i++)
		free(keep[i]);
	more = calloc(3, 1000);
	/* cppcheck-suppress memleakOnRealloc */
	more = realloc(more, 5000);
	free(more);
	if (posix_memalign(&aligned, 64, 333) != 0)
		abort();
	more = aligned;
}

static void grow(int n)
{
	for (int i = 0; i < n; i++)
		more = malloc(32);
}

static void *work(void *arg)
{
	for (int i = 0; i < 1000; i++) {
		void *volatile p = malloc(48);

		free(p);
	}
	return arg;
}

static void wait_for(pid_t child)
{
	int status;

	if (child < 0 || waitpid(child, &status, 0) != child || status != 0)
		abort();
}

static void threads(int n)
{
	pthread_t thread[16];

	for (int i = 0; i < n; i++)
		if (pthread_create(&thread[i], NULL, work, NULL) != 0)
			abort();
	for (int i = 0; i < 3; i++) {
		pid_t child = fork();

		if (child == 0) {
			more = malloc(77);
			exit(0);
		}
		wait_for(child);
	}
	for (int i = 0; i < n; i++)
		pthread_join(thread[i], NULL);
}

static void spawn(char *self)
{
	char word[] = "known", *args[] = { self, word, NULL };
	pid_t child = fork();

	if (child == 0) {
		execv(self, args);
		_exit(127);
	}
	wait_for(child);
}

static void on_term(int signo)
{
	(void)signo;
	exit(7);
}

static int number(char **word)
{
	return *word != NULL ? atoi(*word) : 0;
}

static void say(void)
{
	if (write(STDOUT_FILENO, "here\n", 5) != 5)
		abort();
}

int main(int argc, char **argv)
{
	for (char **word = argv + 1; argc > 1 && *word != NULL; word++) {
		if (strcmp(*word, "known") == 0) {
			known();
		} else if (strcmp(*word, "grow") == 0) {
			grow(number(++word));
		} else if (strcmp(*word, "threads") == 0) {
			threads(number(++word));
		} else if (strcmp(*word, "spawn") == 0) {
			spawn(argv[0]);
		} else if (strcmp(*word, "exec") == 0) {
			*word = argv[0];
			execv(argv[0], word);
			return 127;
		} else if (strcmp(*word, "handler") == 0) {
			signal(SIGTERM, on_term);
		} else if (strcmp(*word, "say") == 0) {
			say();
		} else if (strcmp(*word, "pause") == 0) {
			for (;;)
				pause();
		} else if (strcmp(*word, "quit") == 0) {
			_exit(3);
		} else if (strcmp(*word, "raise") == 0) {
			raise(number(++word));
		} else {
			return 64;
		}
	}
	return 0;
}
