/* The transition matrix, every cell. */
#include "core/state.h"
#include "unit.h"

/* Rows as they are meant, in the order of enum fact: the next state, or "-" for ignored. */
static const char *const rows[STATE_NSTATES] = {
		/*adop  star  fail  defr  rdy   over  slnt  well  ill   done  died  gone  will  retr  due   stab  step  down  up */
	[STATE_STOPPED] =
		"start -     -     -     -     -     -     -     -     -     -     same  rest  -     -     -     same  -     start",
	[STATE_STARTING] =
		"-     same  fail  same  run   same  -     -     -     fail  fail  -     -     same  -     -     same  stopg -",
	[STATE_RUNNING] =
		"-     -     -     -     -     -     same  same  same  stop  fail  -     -     -     -     same  same  stopg -",
	[STATE_STOPPING] =
		"-     same  stop  stop  -     -     -     -     -     same  same  stop  -     -     -     -     same  -     -",
	[STATE_FAILED] =
		"start -     -     -     -     -     -     -     -     -     -     same  rest  -     -     -     same  -     start",
	[STATE_RESTARTING] =
		"start -     -     -     -     -     -     -     -     -     -     same  -     -     start -     same  stop  start",
};

static const char *word_of(enum subsystem_state from, const struct transition *t)
{
	static const char *const words[STATE_NSTATES] = {
		[STATE_STOPPED] = "stop", [STATE_STARTING] = "start", [STATE_RUNNING] = "run",
		[STATE_STOPPING] = "stopg", [STATE_FAILED] = "fail", [STATE_RESTARTING] = "rest",
	};

	if (t->action == ACT_IGNORE)
		return "-";
	return t->next == from ? "same" : words[t->next];
}

START_TEST(every_cell_is_as_drawn)
{
	for (int state = 0; state < STATE_NSTATES; state++) {
		char row[256], *save = NULL, *want;
		int fact = 0;

		snprintf(row, sizeof(row), "%s", rows[state]);
		for (want = strtok_r(row, " ", &save); want; want = strtok_r(NULL, " ", &save)) {
			const struct transition *t = state_step((enum subsystem_state)state,
								(enum fact)fact);

			ck_assert_msg(strcmp(want, word_of((enum subsystem_state)state, t)) == 0,
				      "%s + %s: %s, not %s",
				      enumtext_name(&subsystem_state_text, state),
				      enumtext_name(&fact_text, fact),
				      word_of((enum subsystem_state)state, t), want);
			fact++;
		}
		ck_assert_int_eq(fact, FACT_COUNT);
	}
}
END_TEST

START_TEST(no_cell_is_empty_and_ignoring_changes_nothing)
{
	for (int state = 0; state < STATE_NSTATES; state++) {
		for (int fact = 0; fact < FACT_COUNT; fact++) {
			const struct transition *t = state_step((enum subsystem_state)state,
								(enum fact)fact);

			ck_assert_int_ne(t->action, ACT_EMPTY);
			if (t->action == ACT_IGNORE)
				ck_assert_int_eq((int)t->next, state);
		}
	}
}
END_TEST

START_TEST(every_transition_of_the_matrix_is_one_of_the_contract)
{
	for (int state = 0; state < STATE_NSTATES; state++) {
		for (int fact = 0; fact < FACT_COUNT; fact++) {
			const struct transition *t = state_step((enum subsystem_state)state,
								(enum fact)fact);

			if ((int)t->next != state)
				ck_assert(state_legal((enum subsystem_state)state, t->next));
		}
	}
}
END_TEST

START_TEST(the_contract_has_exactly_these_transitions)
{
	static const char *const text =
		" stopped>starting starting>running starting>failed starting>stopping "
		"running>stopping running>failed running>stopped stopping>stopped "
		"failed>restarting failed>starting stopped>restarting restarting>starting "
		"restarting>stopped ";
	size_t found = 0, expected = 0;

	for (const char *p = text + 1; *p; p++)
		expected += *p == ' ';
	for (int from = 0; from < STATE_NSTATES; from++) {
		for (int to = 0; to < STATE_NSTATES; to++) {
			char pair[64];
			bool legal;

			snprintf(pair, sizeof(pair), " %s>%s ",
				 enumtext_name(&subsystem_state_text, from),
				 enumtext_name(&subsystem_state_text, to));
			legal = state_legal((enum subsystem_state)from, (enum subsystem_state)to);
			ck_assert_msg(legal == (strstr(text, pair) != NULL), "%s", pair);
			found += legal;
		}
	}
	ck_assert_uint_eq(found, expected);
}
END_TEST

START_TEST(every_transition_of_the_contract_is_used)
{
	for (int from = 0; from < STATE_NSTATES; from++) {
		for (int to = 0; to < STATE_NSTATES; to++) {
			bool used = false;

			for (int fact = 0; fact < FACT_COUNT; fact++)
				used |= (int)state_step((enum subsystem_state)from,
							(enum fact)fact)->next == to;
			if (state_legal((enum subsystem_state)from, (enum subsystem_state)to))
				ck_assert(used);
		}
	}
}
END_TEST

START_TEST(facts_and_actions_have_names)
{
	for (int i = 0; i < FACT_COUNT; i++)
		ck_assert_str_ne(enumtext_name(&fact_text, i), "?");
	for (int i = ACT_IGNORE; i < ACT_COUNT; i++)
		ck_assert_str_ne(enumtext_name(&action_text, i), "?");
}
END_TEST

UNIT_MAIN("core: state", every_cell_is_as_drawn, no_cell_is_empty_and_ignoring_changes_nothing,
	  every_transition_of_the_matrix_is_one_of_the_contract,
	  the_contract_has_exactly_these_transitions, every_transition_of_the_contract_is_used,
	  facts_and_actions_have_names)
