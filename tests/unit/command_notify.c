/* Whose a notify message is. */
#include "command/notify_sender.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit.h"

START_TEST(a_group_is_known_by_its_place_below_the_keepers)
{
	static const struct { const char *path; bool is; } table[] = {
		{ "/procd-77/3", true }, { "/a/b/procd-77/3", true }, { "/procd-77/3/own/x", true },
		{ "/procd-77/3 (deleted)", true }, { "/procd-77/33", false },
		{ "/procd-77", false }, { "/procd-77/", false }, { "/procd-77/x3", false },
		{ "/procd-777/3", false }, { "/3", false }, { "", false },
		/* a program's own group that is called like ours */
		{ "/procd-77/4/procd-77/3", false }, { "/procd-77/-3", false },
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		ck_assert_msg(notify_group_is(table[i].path, "procd-77", 3) == table[i].is, "%s",
			      table[i].path);
	ck_assert(!notify_group_is("/3", "", 3));
}
END_TEST

static pid_t make(void (*then)(void))
{
	pid_t pid = fork();

	if (pid == 0) {
		then();
		for (;;)
			pause();
	}
	return pid;
}

static void nothing(void)
{
}

static void end(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

START_TEST(the_main_process_and_its_descendants_are_ours_others_not)
{
	pid_t other = make(nothing), child = make(nothing);
	struct notify_subject subject = { .main_pid = getpid(), .session = getpid(), .uid = getuid(), .group = "",
					  .name = "web" };
	struct notify_sender sender = { .pid = getpid(), .uid = getuid(), .pidfd = -1 };

	ck_assert(notify_sender_is_ours(&sender, &subject));
	sender.pid = child;
	ck_assert(notify_sender_is_ours(&sender, &subject));
	subject.main_pid = subject.session = other;
	ck_assert(!notify_sender_is_ours(&sender, &subject));
	sender.pid = getppid();
	ck_assert(!notify_sender_is_ours(&sender, &subject));
	end(other);
	end(child);
}
END_TEST

START_TEST(nobody_speaks_for_nobody)
{
	struct notify_subject subject = { .uid = getuid(), .group = "" };
	struct notify_sender sender = { .pid = getpid(), .uid = getuid(), .pidfd = -1 };

	ck_assert(!notify_sender_is_ours(&sender, &subject));	/* nothing runs */
	subject.main_pid = subject.session = getpid();
	sender.pid = 0;						/* from another pid namespace */
	ck_assert(!notify_sender_is_ours(&sender, &subject));
}
END_TEST

START_TEST(one_that_has_ended_is_judged_by_its_user)
{
	pid_t gone = make(nothing);
	struct notify_subject subject = { .main_pid = getpid(), .session = getpid(), .uid = 4711, .group = "" };
	struct notify_sender sender = { .uid = 4711, .pidfd = -1 };

	end(gone);
	sender.pid = gone;
	ck_assert(notify_sender_is_ours(&sender, &subject));
	sender.uid = 4712;
	ck_assert(!notify_sender_is_ours(&sender, &subject));
}
END_TEST

UNIT_MAIN("command: notify senders", a_group_is_known_by_its_place_below_the_keepers,
	the_main_process_and_its_descendants_are_ours_others_not, nobody_speaks_for_nobody,
	one_that_has_ended_is_judged_by_its_user)
