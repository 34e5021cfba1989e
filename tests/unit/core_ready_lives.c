/* Random lives of what says that it is ready, or is asked, or says nothing: whatever comes in whatever
 * order, no state is out of place and no timer, question or process is forgotten. */
#include "core_fixture.h"
#include "core/notify.h"

#define RUNS 60

static struct subsystem_options *add(const char *name, const char *probe)
{
	struct subsystem_options *o = fx_add(name);
	auto_free(strbuf_fini) struct strbuf why = STRBUF_INIT;

	ck_assert_int_eq(probe_option_parse(probe, PROBES_ALL, &policy_write(o)->ready, &why), 0);
	return o;
}

static void setup(void)
{
	fx_setup();
	fx.memory_fd = memfd_create("memory", 0);
}

/* The supervisor is killed, and MS later there is another one. */
static void replace(int64_t ms)
{
	fx_settle();		/* the keeper does what it was asked for */
	core_free(fx.core);
	board_free(fx.board);
	fx.core = NULL;
	for (size_t i = 0; i < FX_SLOTS; i++)
		fx.child[i].drain = false;
	fx.now += ms * NS_PER_MS;
	fx.board = board_new(FX_SLOTS * 4);
	fx.welcome.recovering = 1;
	fx_new_core(9);
}

static const char *const kinds[] = { "exec", "notify", "fd:3", "tcp:127.0.0.1:80", "log:^up$" };
#define LIVES ARRAY_LEN(kinds)

static const char *const words[] = {
	"READY=1", "x\n", "WATCHDOG=1", "WATCHDOG=trigger", "EXTEND_TIMEOUT_USEC=900000", "STOPPING=1",
	"RELOADING=1", "WATCHDOG_USEC=300000", "WATCHDOG_USEC=0", "STATUS=s\nERRNO=3", "MAINPID=7",
};

static uint32_t chance(uint64_t *seed, uint32_t n)
{
	*seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)(*seed >> 33) % n;
}

static void speak(const char *name, const char *text)
{
	struct notify_message m;

	(void)notify_parse(text, strlen(text), &m);
	m.words |= notify_line(text, strlen(text), &m);
	core_notify(fx.core, fx_slot(name), &m);
}

/* Something happens to NAME, as the outside world may do it at any time. */
static void happen(const char *name, uint64_t *seed)
{
	struct fx_child *k = fx_child(name);

	switch (chance(seed, 10)) {
	case 0:
		if (k->alive)
			fx_end_slot(fx_slot(name), chance(seed, 2) ? SIGKILL : 0, 0);
		break;
	case 1:
		core_line_matched(fx.core, fx_slot(name), k->spawn_id - chance(seed, 2));
		break;
	case 2:
	case 3:
		if (k->probe_id != 0)
			fx_probed(name, (enum probe_result)chance(seed, 3), "detail");
		break;
	case 4:
		(void)fx_order_signo(CORE_STOP, name, 0);
		break;
	case 5:
		(void)fx_order_signo(CORE_START, name, 0);
		break;
	default:
		speak(name, words[chance(seed, ARRAY_LEN(words))]);
	}
	if (chance(seed, 3) != 0)
		fx_settle();
}

/* Whoever is asked to end does so, mostly. */
static void obey(uint64_t *seed)
{
	for (size_t i = 0; i < LIVES; i++) {
		char name[2] = { (char)('a' + i), '\0' };
		bool asked = fx_board(name)->state == STATE_STOPPING || chance(seed, 4) == 0;

		if (fx_child(name)->alive && asked && chance(seed, 2) == 0)
			fx_end_slot(fx_slot(name), SIGTERM, 0);
	}
	fx_settle();
}

static void check_lives(void)
{
	for (size_t i = 0; i < LIVES; i++) {
		char name[2] = { (char)('a' + i), '\0' };
		const struct board_record *r = fx_board(name);

		ck_assert(!r->ready || r->state == STATE_RUNNING);
		ck_assert(r->ready_by_mono_ns == 0 || r->state == STATE_STARTING);
		ck_assert(fx_child(name)->probe_id == 0 || r->state == STATE_STARTING);
		/* one that is overdue after a gap has another moment */
		ck_assert_msg(r->ready_by_mono_ns == 0 || r->ready_by_mono_ns >= fx.now ||
			      core_next_deadline(fx.core) <= fx.now + NS_PER_SEC, "%s is overdue", name);
	}
}

static void live(uint64_t seed)
{
	for (size_t i = 0; i < LIVES; i++) {
		char name[2] = { (char)('a' + i), '\0' };
		struct subsystem_options *o = add(name, kinds[i]);

		streams_write(o)->stdio[1].kind = STDIO_LOG;
		policy_write(o)->start_timeout_ms = 400;
		policy_write(o)->watchdog_ms = chance(&seed, 2) ? 250 : TIMEOUT_UNSET;
		policy_write(o)->min_uptime_ms = chance(&seed, 2) ? 100 : 0;
		policy_write(o)->restart = (enum restart_policy)chance(&seed, 3);
		policy_write(o)->stop_timeout_ms = 500;
	}
	fx_start();
	for (int step = 0; step < 400; step++) {
		char name[2] = { (char)('a' + chance(&seed, LIVES)), '\0' };

		happen(name, &seed);
		if (chance(&seed, 5) == 0)
			fx_advance_ms(chance(&seed, 300));
		if (chance(&seed, 7) == 0)
			obey(&seed);
		if (chance(&seed, 40) == 0)
			replace(chance(&seed, 200));
		fx_settle();
		check_lives();
		while (fx_next_event() != NULL)
			;
	}
}

static void live_and_stop(uint64_t seed)
{
	live(seed);
	for (size_t i = 0; i < LIVES; i++) {
		char name[2] = { (char)('a' + i), '\0' };

		(void)fx_order_signo(CORE_STOP, name, 0);
	}
	for (int i = 0; i < 20; i++) {
		fx_settle();
		for (size_t n = 0; n < LIVES; n++) {
			char name[2] = { (char)('a' + n), '\0' };

			if (fx_child(name)->alive)
				fx_die(name, SIGTERM);
		}
	}
	for (size_t i = 0; i < LIVES; i++) {
		char name[2] = { (char)('a' + i), '\0' };

		ck_assert_int_eq(fx_child(name)->probe_id, 0);
		ck_assert(fx_board(name)->state == STATE_STOPPED ||
			  fx_board(name)->state == STATE_FAILED);
		ck_assert_str_eq(fx_board(name)->texts->awaits, "");
	}
	fx_advance_ms(2000);			/* the status line of procd itself */
	ck_assert_int_eq(core_next_deadline(fx.core), INT64_MAX);
}

START_TEST(whatever_happens_nobody_is_forgotten)
{
	for (uint64_t run = 0; run < RUNS; run++) {
		if (run > 0) {
			fx_teardown();
			setup();
		}
		live_and_stop(run * 7919 + 1);
	}
}
END_TEST

int main(void)
{
	const TTest *tests[] = { whatever_happens_nobody_is_forgotten };

	return unit_run_in("core: lives and readiness", setup, fx_teardown, tests, ARRAY_LEN(tests));
}
