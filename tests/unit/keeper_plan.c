/* The plan block: what the builder makes passes the check, and nothing that was damaged on the way
 * leads the keeper outside the block. */
#include <errno.h>

#include "keeper/plan.h"
#include "keeper/record.h"
#include "unit.h"

static struct plan_builder *sample(void)
{
	struct plan_builder *b = plan_new("web@0");
	struct strlist paths = STRLIST_INIT, argv = STRLIST_INIT, env = STRLIST_INIT;

	strlist_add(&paths, "/usr/local/bin/web");
	strlist_add(&paths, "/usr/bin/web");
	strlist_add(&argv, "web");
	strlist_add(&argv, "");
	strlist_add(&argv, "--port=80");
	strlist_add(&env, "A=1");
	plan_set_exec(b, &paths, &argv, &env);
	plan_set_cwd(b, "/srv");
	plan_header(b)->stdio[1] = PLAN_STDIO_FILE;
	plan_set_stdio_path(b, 1, "/var/log/web");
	plan_header(b)->stdio[2] = PLAN_STDIO_STDOUT;
	plan_set_cpus(b, (const uint64_t[]){ 3, 1 }, 2);
	plan_set_filter(b, (const uint64_t[]){ 3, 1, 6 }, 3);
	plan_set_ready(b, 7, "/run/procd/x/notify/0");
	plan_set_credentials(b, 1);
	plan_set_credential(b, 0, "a../x", 5, "secret", 6);
	((struct plan_credential *)(void *)((char *)plan_header(b) +
					    plan_header(b)->credentials))->name += 4;
	plan_header(b)->flags = PLAN_TREE | PLAN_SET_NICE;
	strlist_fini(&paths);
	strlist_fini(&argv);
	strlist_fini(&env);
	return b;
}

static const char *item(const struct plan *p, uint32_t vector, int i)
{
	const uint32_t *v = (const uint32_t *)(const void *)((const char *)p + vector);

	return plan_str(p, v[i]);
}

/* Read everything as the keeper would; a wrong offset is a finding of the sanitizer. */
static size_t walk(const struct plan *p)
{
	const uint32_t vectors[] = { p->exec_paths, p->argv, p->envp };
	size_t sum = strlen(plan_str(p, p->name));

	for (size_t i = 0; i < 3; i++)
		for (int n = 0; item(p, vectors[i], n); n++)
			sum += strlen(item(p, vectors[i], n));
	if (p->cwd)
		sum += strlen(plan_str(p, p->cwd));
	for (int fd = 0; fd < 3; fd++)
		if (p->stdio[fd] == PLAN_STDIO_FILE)
			sum += strlen(plan_str(p, p->stdio_path[fd]));
	if (p->ready_path)
		sum += strlen(plan_str(p, p->ready_path));
	for (uint32_t i = 0; i < p->cpus_size; i++)
		sum += ((const unsigned char *)p)[p->cpus + i];
	for (uint32_t i = 0; i < p->ncredentials; i++) {
		const struct plan_credential *c =
			(const struct plan_credential *)(const void *)((const char *)p +
								       p->credentials) + i;

		sum += strlen(plan_str(p, c->name));
		for (uint32_t j = 0; j < c->size; j++)
			sum += ((const unsigned char *)p)[c->data + j];
	}
	for (uint32_t i = 0; i < 8 * p->nfilter; i++)
		sum += ((const unsigned char *)p)[p->filter + i];
	return sum;
}

START_TEST(what_was_built_is_read_back)
{
	struct plan_builder *b = sample();
	const void *block;
	const struct plan *p;
	size_t size;

	ck_assert_int_eq(plan_finish(b, &block, &size), 0);
	ck_assert(plan_check(block, size));
	p = block;
	ck_assert_str_eq(plan_str(p, p->name), "web@0");
	ck_assert_str_eq(item(p, p->exec_paths, 1), "/usr/bin/web");
	ck_assert_ptr_null(item(p, p->exec_paths, 2));
	ck_assert_str_eq(item(p, p->argv, 1), "");
	ck_assert_str_eq(item(p, p->argv, 2), "--port=80");
	ck_assert_str_eq(item(p, p->envp, 0), "A=1");
	ck_assert_str_eq(plan_str(p, p->cwd), "/srv");
	ck_assert_str_eq(plan_str(p, p->stdio_path[1]), "/var/log/web");
	ck_assert_ptr_null(plan_str(p, p->stdio_path[0]));
	plan_free(b);
}
END_TEST

START_TEST(every_truncation_is_refused)
{
	struct plan_builder *b = sample();
	const void *block;
	size_t size;

	ck_assert_int_eq(plan_finish(b, &block, &size), 0);
	for (size_t n = 0; n < size; n++) {
		char *copy = malloc(n + 1);

		memcpy(copy, block, n);
		ck_assert(!plan_check(copy, n));
		free(copy);
	}
	plan_free(b);
}
END_TEST

START_TEST(every_flipped_bit_is_refused_or_safe)
{
	struct plan_builder *b = sample();
	const void *block;
	size_t size, sum = 0;

	ck_assert_int_eq(plan_finish(b, &block, &size), 0);
	for (size_t bit = 0; bit < size * 8; bit++) {
		unsigned char *copy = malloc(size);

		memcpy(copy, block, size);
		copy[bit / 8] ^= (unsigned char)(1u << (bit % 8));
		if (plan_check(copy, size))
			sum += walk((const struct plan *)(const void *)copy);
		free(copy);
	}
	ck_assert_uint_gt(sum, 0);
	plan_free(b);
}
END_TEST

START_TEST(numbers_out_of_range_are_refused)
{
	struct plan_builder *b = sample();
	struct plan_credential *c;
	const void *block;
	struct plan *p;
	size_t size;

	ck_assert_int_eq(plan_finish(b, &block, &size), 0);
	p = plan_header(b);
#define REFUSED(field, bad)                                                                       \
	do {                                                                                      \
		__typeof__(p->field) good = p->field;                                             \
		p->field = (bad);                                                                 \
		ck_assert_msg(!plan_check(block, size), #field " = " #bad);                       \
		p->field = good;                                                                  \
	} while (0)
	REFUSED(flags, 1u << 31);
	REFUSED(nice, 20);
	REFUSED(nice, -21);
	REFUSED(umask, 01000);
	REFUSED(oom_score_adjust, 1001);
	REFUSED(ngroups, PLAN_MAX_GROUPS + 1);
	REFUSED(stdio[0], PLAN_STDIO_CAPTURE);
	REFUSED(stdio[1], PLAN_STDIO_STDOUT);
	REFUSED(stdio[2], PLAN_STDIO_STDOUT + 1);
	REFUSED(stdio_path[1], 0);
	REFUSED(argv, 0);
	REFUSED(argv, p->argv + 1);
	REFUSED(exec_paths, p->size);
	REFUSED(name, 0);
	REFUSED(stop_signal, 65);
	REFUSED(capture_of, RECORDS_MAX_SLOTS + 1);
	REFUSED(flags, PLAN_DIE_WITH_KEEPER);	/* without a signal to die of */
	REFUSED(cpus, 0);
	REFUSED(cpus, p->cpus + 4);
	REFUSED(cpus, p->size - 8);
	REFUSED(cpus_size, 0);
	REFUSED(cpus_size, 12);
	REFUSED(cpus_size, PLAN_MAX_CPUS_SIZE + 8);
	REFUSED(cpus_size, p->size & ~7u);
	REFUSED(io_priority, 1u << 16);
	REFUSED(numa_node, PLAN_MAX_NODES);
	REFUSED(sched_policy, UINT32_MAX);
	REFUSED(sched_priority, UINT32_MAX);
	REFUSED(ready_fd, 0);
	REFUSED(ready_fd, 2);
	REFUSED(ready_fd, PLAN_MAX_READY_FD + 1);
	REFUSED(ready_path, 0);
	REFUSED(ready_path, p->size);
	REFUSED(root_dir, 8);
	REFUSED(root_dir, p->size);
	REFUSED(root_dir, p->size - 1);
	REFUSED(ncredentials, 0);
	REFUSED(ncredentials, PLAN_MAX_CREDENTIALS + 1);
	REFUSED(ncredentials, 20);
	REFUSED(credentials, 0);
	REFUSED(credentials, p->size - 8);
	c = (struct plan_credential *)(void *)((char *)p + p->credentials);
	c->size = p->size;
	ck_assert(!plan_check(block, size));
	c->size = 6;
	c->data += 4;
	ck_assert(!plan_check(block, size));
	c->data -= 4;
	for (int i = 0; i < 4; i++) {
		c->name--;		/* "/x", "./x", "../x", "a../x" */
		ck_assert(!plan_check(block, size));
	}
	c->name += 5;			/* "" */
	ck_assert(!plan_check(block, size));
	c->name--;			/* "x" */
	ck_assert(plan_check(block, size));
	REFUSED(nfilter, 0);
	REFUSED(nfilter, PLAN_MAX_FILTER + 1);
	REFUSED(nfilter, p->size / 8);
	REFUSED(filter, 0);
	REFUSED(filter, p->filter + 4);
	REFUSED(filter, p->size - 8);
	REFUSED(protect_system, PLAN_PROTECT_COUNT);
	p->limits[3] = (struct plan_limit){ .soft = 2, .hard = 1, .set = 1 };
	ck_assert(!plan_check(block, size));
	p->limits[3].hard = 2;
	ck_assert(plan_check(block, size));
	p->flags |= PLAN_SET_IDS;
	ck_assert(plan_check(block, size));
	REFUSED(uid, UINT32_MAX);	/* setresuid() would leave it as it is */
	REFUSED(gid, UINT32_MAX);
	plan_free(b);
}
END_TEST

START_TEST(a_plan_above_the_limit_is_too_big)
{
	struct plan_builder *b = plan_new("web");
	struct strlist argv = STRLIST_INIT;
	char *big = malloc(PLAN_MAX);
	const void *block;
	size_t size;

	memset(big, 'x', PLAN_MAX - 1);
	big[PLAN_MAX - 1] = '\0';
	strlist_add(&argv, big);
	plan_set_exec(b, &argv, &argv, &argv);
	plan_set_cwd(b, "/");	/* adding more is harmless */
	ck_assert_int_eq(plan_finish(b, &block, &size), -E2BIG);
	plan_free(b);
	strlist_fini(&argv);
	free(big);
}
END_TEST

START_TEST(a_plan_just_below_the_limit_passes)
{
	struct plan_builder *b = plan_new("web");
	struct strlist argv = STRLIST_INIT, env = STRLIST_INIT;
	const size_t n = PLAN_MAX - sizeof(struct plan) - 256;
	char *big = malloc(n + 1);
	const void *block;
	size_t size;

	memset(big, 'x', n);
	big[n] = '\0';
	strlist_add(&argv, big);
	strlist_add(&env, "/bin/true");
	plan_set_exec(b, &env, &argv, &env);
	ck_assert_int_eq(plan_finish(b, &block, &size), 0);
	ck_assert_uint_le(size, PLAN_MAX);
	ck_assert(plan_check(block, size));
	plan_free(b);
	strlist_fini(&argv);
	strlist_fini(&env);
	free(big);
}
END_TEST

START_TEST(every_stage_has_a_name)
{
	for (int i = 0; i < STAGE_COUNT; i++)
		ck_assert_str_ne(enumtext_name(&spawn_stage_text, i), "?");
}
END_TEST

UNIT_MAIN("keeper: plan", what_was_built_is_read_back, every_truncation_is_refused,
	  every_flipped_bit_is_refused_or_safe, numbers_out_of_range_are_refused,
	  a_plan_above_the_limit_is_too_big, a_plan_just_below_the_limit_passes,
	  every_stage_has_a_name)
