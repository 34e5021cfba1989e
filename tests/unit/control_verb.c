/* The verb table is whole, and access classes are what the contract says. */
#include "control/verb.h"

#include "config.h"

#include "base/map.h"
#include "unit.h"

#define OWN 1000

static const gid_t groups[] = { 7, 50 };

static const struct {
	uid_t uid;
	gid_t gid;
	bool member;	/* of groups 7 and 50 */
	gid_t operate, look;
	enum access expected;
} peers[] = {
	{ 0, 0, false, GROUP_NONE, GROUP_NONE, ACCESS_ADMIN },
	{ OWN, 1, false, GROUP_NONE, GROUP_NONE, ACCESS_ADMIN },
	{ 1001, 1, false, GROUP_NONE, GROUP_NONE, ACCESS_NONE },
	{ 1001, GROUP_NONE, false, GROUP_NONE, GROUP_NONE, ACCESS_NONE },
	{ 1001, 50, false, 50, GROUP_NONE, ACCESS_OPERATE },
	{ 1001, 1, true, 50, GROUP_NONE, ACCESS_OPERATE },
	{ 1001, 1, true, GROUP_NONE, 7, ACCESS_READ },
	{ 1001, 1, true, 50, 7, ACCESS_OPERATE },
	{ 1001, 1, true, 51, 7, ACCESS_READ },
	{ 1001, 1, true, 51, 8, ACCESS_NONE },
	{ 4000000000u, 50, false, 50, GROUP_NONE, ACCESS_OPERATE },
	{ 4294967294u, 1, false, 50, 7, ACCESS_NONE },
};

START_TEST(the_kernels_word_about_the_peer_decides)
{
	for (size_t i = 0; i < ARRAY_LEN(peers); i++) {
		gid_t copy[ARRAY_LEN(groups)];
		struct peer p = { .uid = peers[i].uid, .gid = peers[i].gid };

		memcpy(copy, groups, sizeof(groups));
		if (peers[i].member) {
			p.gids = copy;
			p.ngids = ARRAY_LEN(groups);
		}
		ck_assert_int_eq((int)access_of(&p, OWN, peers[i].operate, peers[i].look),
				 (int)peers[i].expected);
	}
}
END_TEST

START_TEST(every_row_is_a_verb_or_a_method_and_explains_itself)
{
	for (int i = 0; i < VERB_COUNT; i++) {
		const struct verb *v = &verb_table[i];

		if (i == VERB_TOP && !WITH_CONSOLE)
			continue;
		ck_assert_msg(v->name || v->method, "row %d", i);
		ck_assert_msg(v->summary != NULL, "row %d", i);
		ck_assert(!v->name || v->arguments);
		ck_assert_msg(!v->serve || (v->method && v->params && v->access > ACCESS_NONE),
			      "%s", v->method);
		ck_assert_msg((v->flags & VERB_LOCAL) || v->method, "%s talks to nobody", v->name);
		ck_assert(v->max_args < 0 || v->min_args <= v->max_args);
	}
}
END_TEST

START_TEST(names_methods_and_options_are_unique)
{
	struct map names = MAP_INIT, methods = MAP_INIT;
	char dummy;

	for (int i = 0; i < VERB_COUNT; i++) {
		const struct verb *v = &verb_table[i];

		if (v->name)
			ck_assert_ptr_null(map_put(&names, v->name, &dummy));
		if (v->serve)
			ck_assert_ptr_null(map_put(&methods, v->method, &dummy));
		for (int k = 0; k < VERB_OPTIONS_MAX && v->options[k].name; k++)
			for (int m = 0; m < k; m++)
				ck_assert_str_ne(v->options[k].name, v->options[m].name);
	}
	/* every method that a verb names is served by some row */
	for (int i = 0; i < VERB_COUNT; i++)
		if (verb_table[i].method)
			ck_assert_ptr_nonnull(map_find(&methods, verb_table[i].method));
	map_fini(&names);
	map_fini(&methods);
}
END_TEST

START_TEST(the_methods_of_the_contract_are_served)
{
	static const char *const methods[] = {
		"status.get", "subsystem.start", "subsystem.stop", "subsystem.restart",
		"subsystem.signal", "subsystem.reload", "subsystem.reset", "subsystem.why",
		"config.get", "config.plan", "config.reload", "events.get", "events.subscribe",
		"logs.get", "logs.follow", "daemon.shutdown", "daemon.reopen_logs",
		"daemon.log_level", "daemon.features",
	};

	for (size_t i = 0; i < ARRAY_LEN(methods); i++)
		ck_assert_msg(verb_find_method(methods[i]) != NULL, "%s", methods[i]);
	ck_assert_ptr_null(verb_find_method("status"));
	ck_assert_ptr_null(verb_find_method(""));
}
END_TEST

START_TEST(only_those_who_own_it_act_on_procd_itself)
{
	ck_assert_int_eq((int)verb_find_method("status.get")->access, ACCESS_READ);
	ck_assert_int_eq((int)verb_find_method("subsystem.stop")->access, ACCESS_OPERATE);
	ck_assert_int_eq((int)verb_find_method("daemon.shutdown")->access, ACCESS_ADMIN);
	ck_assert_int_eq((int)verb_find_method("config.reload")->access, ACCESS_ADMIN);
}
END_TEST

START_TEST(a_mistyped_verb_finds_its_neighbour)
{
	ck_assert_str_eq(verb_nearest("statsu"), "status");
	ck_assert_str_eq(verb_nearest("restrat"), "restart");
	ck_assert_ptr_null(verb_nearest("xylophone"));
	ck_assert_ptr_null(verb_find("no-such-verb"));
}
END_TEST

UNIT_MAIN("control: verbs and access",
	the_kernels_word_about_the_peer_decides,
	every_row_is_a_verb_or_a_method_and_explains_itself,
	names_methods_and_options_are_unique,
	the_methods_of_the_contract_are_served,
	only_those_who_own_it_act_on_procd_itself,
	a_mistyped_verb_finds_its_neighbour)
