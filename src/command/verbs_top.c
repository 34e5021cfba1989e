/* `top`: a live table. One loop waits for keys, signals and procd at once; signals are read like
 * everything else, so the terminal is given back on every way out. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "command/top.h"
#include "command/verbs.h"

#define MESSAGE_NS (6 * NS_PER_SEC)
#define PICTURE_NS (40 * NS_PER_MS)	/* a burst of events is not worth more pictures than that */

void top_say(struct top *t, enum tint tint, const char *fmt, ...)
{
	auto_free(strbuf_fini) struct strbuf text = STRBUF_INIT;
	auto_free(strbuf_fini) struct strbuf safe = STRBUF_INIT;
	va_list ap;

	va_start(ap, fmt);
	strbuf_vaddf(&text, fmt, ap);
	va_end(ap);
	cell_escape(text.buf, text.len, &safe);
	snprintf(t->message, sizeof(t->message), "%s", safe.buf);
	t->message_tint = tint;
	t->message_until_ns = clock_mono_ns() + MESSAGE_NS;
	t->redraw = true;
}

/* --- waiting ---------------------------------------------------------------------------------- */

static int block_signals(sigset_t *set, sigset_t *before)
{
	sigemptyset(set);
	for (size_t i = 0; i < 5; i++)
		sigaddset(set, (int[]){ SIGWINCH, SIGTERM, SIGINT, SIGHUP, SIGQUIT }[i]);
	sigprocmask(SIG_BLOCK, set, before);
	return signalfd(-1, set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* Returns the signal that ends it, or 0. */
static int read_signals(struct top *t, int fd)
{
	struct signalfd_siginfo info;
	int end = 0;

	while (read(fd, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo != SIGWINCH)
			end = (int)info.ssi_signo;
		screen_resize(t->screen);
		t->redraw = true;
	}
	return end;
}

static void read_keys(struct top *t)
{
	for (int key; !t->leave && (key = screen_key(t->screen)) != PRESS_NONE;)
		keys_press(t, key);
}

static int64_t next_turn(const struct top *t, int64_t drawn_ns)
{
	int64_t at = t->connected ? t->refresh_at_ns : t->retry_at_ns;

	if (*t->message != '\0')
		at = MIN(at, t->message_until_ns);
	if (t->redraw)
		at = MIN(at, drawn_ns + PICTURE_NS);
	return at;
}

static void turn_timers(struct top *t)
{
	int64_t now = clock_mono_ns();

	if (!t->connected && now >= t->retry_at_ns)
		link_retry(t);
	if (t->connected && now >= t->refresh_at_ns) {
		link_refresh(t);
		t->redraw |= t->status_id != 0 && now - t->asked_at_ns > TOP_REFRESH_NS;
	}
	if (*t->message != '\0' && now >= t->message_until_ns)
		t->redraw = true;
}

/* Until "q" (0), a signal, or the end of the terminal (SIGHUP). */
static int run(struct top *t, int signals)
{
	int64_t drawn_ns = 0;

	while (!t->leave) {
		int64_t now = clock_mono_ns(), wait;
		struct pollfd p[] = {
			{ .fd = STDIN_FILENO, .events = POLLIN },
			{ .fd = signals, .events = POLLIN },
			{ .fd = t->connected ? t->call.client.fd : -1, .events = POLLIN },
			{ .fd = t->log.fd, .events = POLLIN },
		};
		int end;

		if (t->redraw && now >= drawn_ns + PICTURE_NS) {
			view_draw(t);
			drawn_ns = now;
		}
		wait = next_turn(t, drawn_ns) - clock_mono_ns();
		wait = MAX(wait, 0);
		if (poll(p, ARRAY_LEN(p), (int)((wait + NS_PER_MS - 1) / NS_PER_MS)) < 0) {
			if (errno != EINTR)
				return SIGHUP;
			screen_resize(t->screen);	/* stopped and continued */
			t->redraw = true;
			continue;
		}
		if (p[1].revents && (end = read_signals(t, signals)) != 0)
			return end;
		if (p[0].revents & POLLIN)
			read_keys(t);
		else if (p[0].revents)
			return SIGHUP;
		if (p[2].revents)
			link_read(t);
		if (p[3].revents && t->log.fd == p[3].fd)
			link_log_read(t);
		turn_timers(t);
	}
	return 0;
}

/* --- the verb --------------------------------------------------------------------------------- */

static void top_fini(struct top *t)
{
	link_log_close(t);
	strbuf_fini(&t->partial[0]);
	strbuf_fini(&t->partial[1]);
	pager_clear(&t->pager);
	rows_fini(&t->rows);
	frame_fini(&t->frame);
	strbuf_fini(&t->name);
	strbuf_fini(&t->state);
	call_fini(&t->call);
}

static int show(struct top *t)
{
	sigset_t set, before;
	int signals = block_signals(&set, &before), end;
	const char *why;

	t->screen = screen_start(colour_wanted(STDOUT_FILENO), &why);
	if (!t->screen) {
		close(signals);
		return cli_fail_usage(t->o, "top: %s", why);
	}
	link_begin(t);
	end = run(t, signals);
	screen_stop(t->screen);
	close(signals);
	if (end != 0 && end != SIGINT) {	/* whoever sent it sees that it worked */
		signal(end, SIG_DFL);
		sigprocmask(SIG_SETMASK, &before, NULL);
		raise(end);
	}
	return EXIT_OK;
}

int verb_top(const struct cli_options *o)
{
	struct top *t;
	int rc;

	if (o->json || !isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
		return cli_fail_usage(o, "top shows a live table on a terminal; for programs and "
				      "files there is \"procd status\"");
	t = x_malloc(sizeof(*t));
	*t = (struct top){
		.o = o, .rows = ROWS_INIT, .frame = FRAME_INIT, .log = CLIENT_INIT,
		.partial = { STRBUF_INIT, STRBUF_INIT }, .name = STRBUF_INIT, .state = STRBUF_INIT,
	};
	t->rows.sort = SORT_CPU;
	rc = call_open(&t->call, o);
	if (rc == 0) {
		t->call.client.deadline_ns = 0;
		rc = show(t);
	}
	top_fini(t);
	free(t);
	return rc;
}
