/* A supervisor that is really killed, in a process of its own, at one of its words to the keeper or
 * right after one of its events; who goes on knows what the keeper knew by then. */
#ifndef CORE_DYING_H
#define CORE_DYING_H

#include <sys/wait.h>

#include "core_fixture.h"

#define SHARED_RECORDS (sizeof(struct records_header) + FX_SLOTS * sizeof(struct record))

static struct fx *shared;	/* what the keeper knows, handed over at the death */
static int words_left;		/* 0: it lives */

/* The keeper is another process: it knows what was said so far. */
static inline void say_word(void *ctx)
{
	(void)ctx;
	if (words_left == 0 || --words_left > 0)
		return;
	*shared = fx;
	_exit(42);
}

static inline int dying_spawn(void *ctx, uint32_t slot, uint64_t spawn_id, const void *plan,
			      size_t size)
{
	int r;

	say_word(NULL);
	r = fx_spawn(ctx, slot, spawn_id, plan, size);
	say_word(NULL);
	return r;
}

static inline void dying_signal(void *ctx, uint32_t slot, uint64_t spawn_id, int signo,
				enum signal_scope scope, bool cont)
{
	say_word(NULL);
	fx_signal_op(ctx, slot, spawn_id, signo, scope, cont);
	say_word(NULL);
}

static inline void dying_release(void *ctx, uint32_t slot, uint64_t spawn_id)
{
	say_word(NULL);
	fx_release(ctx, slot, spawn_id);
	say_word(NULL);
}

static inline void dying_drain(void *ctx, uint32_t slot, uint64_t spawn_id)
{
	say_word(NULL);
	fx_drain(ctx, slot, spawn_id);
}

static inline void run_core(const struct core_ops *ops)
{
	struct core_setup setup = {
		.chan = fx.chan, .board = fx.board, .ops = ops, .ops_ctx = &fx,
		.records = &fx.records, .welcome = &fx.welcome, .memory_fd = fx.memory_fd,
		.notes_fd = -1,
		.random_seed = 5,
	};

	fx.core = core_new(&setup);
	core_start(fx.core);
	fx_settle();
}

static inline void share_everything(void)
{
	void *records = mmap(NULL, SHARED_RECORDS, PROT_READ | PROT_WRITE,
			     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int fd = memfd_create("channel", 0);

	free(fx.records.header);
	free(fx.records.slots);
	fx.records.header = records;
	fx.records.slots = (void *)(fx.records.header + 1);
	atomic_store(&fx.records.header->nslots, FX_SLOTS);
	chan_close(fx.chan);
	chan_free(fx.chan);
	fx.chan = chan_open(fd, 1 << 20, 4096, CHAN_LOCK_FREE, &(bool){ false });
	fx.memory_fd = memfd_create("memory", 0);
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		      -1, 0);
}

static inline void death_over(void)
{
	munmap(fx.records.header, SHARED_RECORDS);
	munmap(shared, sizeof(*shared));
	fx.records.header = NULL;
	fx.records.slots = NULL;
	fx_teardown();
}

/* LIVE, in another process, to the word number WORDS. False: it was over before; else what is left is
 * here, until death_over(). */
static inline bool dies(void (*live)(const struct core_ops *ops, int words), int words)
{
	struct core_ops ops = fx_ops;
	int status;
	pid_t pid;

	fx_setup();
	share_everything();
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		ops.spawn = dying_spawn;
		ops.signal = dying_signal;
		ops.release = dying_release;
		ops.output_drain = dying_drain;
		chan_subscribe(fx.chan, say_word, NULL);
		live(&ops, words);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_msg(WIFEXITED(status), "died by signal %d", WTERMSIG(status));
	if (WEXITSTATUS(status) == 0) {
		death_over();
		return false;
	}
	ck_assert_int_eq(WEXITSTATUS(status), 42);
	return true;
}

#endif
