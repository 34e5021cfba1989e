/* Types for what a program may do: sets of capabilities, written as names, kept as bits; and a
 * choice that begins with false and true. */
#include "config/type.h"

#include <errno.h>
#include <linux/capability.h>

#include "base/alloc.h"

#define NAMED(cap) [cap] = #cap

ENUMTEXT(capability, "capability",
	 NAMED(CAP_CHOWN), NAMED(CAP_DAC_OVERRIDE), NAMED(CAP_DAC_READ_SEARCH), NAMED(CAP_FOWNER),
	 NAMED(CAP_FSETID), NAMED(CAP_KILL), NAMED(CAP_SETGID), NAMED(CAP_SETUID),
	 NAMED(CAP_SETPCAP), NAMED(CAP_LINUX_IMMUTABLE), NAMED(CAP_NET_BIND_SERVICE),
	 NAMED(CAP_NET_BROADCAST), NAMED(CAP_NET_ADMIN), NAMED(CAP_NET_RAW), NAMED(CAP_IPC_LOCK),
	 NAMED(CAP_IPC_OWNER), NAMED(CAP_SYS_MODULE), NAMED(CAP_SYS_RAWIO), NAMED(CAP_SYS_CHROOT),
	 NAMED(CAP_SYS_PTRACE), NAMED(CAP_SYS_PACCT), NAMED(CAP_SYS_ADMIN), NAMED(CAP_SYS_BOOT),
	 NAMED(CAP_SYS_NICE), NAMED(CAP_SYS_RESOURCE), NAMED(CAP_SYS_TIME),
	 NAMED(CAP_SYS_TTY_CONFIG), NAMED(CAP_MKNOD), NAMED(CAP_LEASE), NAMED(CAP_AUDIT_WRITE),
	 NAMED(CAP_AUDIT_CONTROL), NAMED(CAP_SETFCAP), NAMED(CAP_MAC_OVERRIDE),
	 NAMED(CAP_MAC_ADMIN), NAMED(CAP_SYSLOG), NAMED(CAP_WAKE_ALARM), NAMED(CAP_BLOCK_SUSPEND),
	 NAMED(CAP_AUDIT_READ), [38] = "CAP_PERFMON", [39] = "CAP_BPF",
	 [40] = "CAP_CHECKPOINT_RESTORE");

static int add_capability(struct parse *p, const struct value *v, uint64_t *mask)
{
	auto_free(freep) char *text = parse_string(p, v);
	int cap;

	if (text == NULL)
		return -EINVAL;
	cap = enumtext_find(&capability_text, text);
	if (cap < 0)
		return parse_fail(p, v, "unknown capability \"%.60s\"; capabilities(7) names them",
				  text);
	*mask |= UINT64_C(1) << cap;
	return 0;
}

static int capabilities_parse(struct parse *p, const struct value *v, void *obj)
{
	struct capability_option o = { .set = true };

	if (v->kind == VALUE_TABLE)
		return parse_fail(p, v, "expected an array of names, not a table");
	if (v->kind != VALUE_ARRAY && add_capability(p, v, &o.mask) < 0)
		return -EINVAL;
	for (size_t i = 0; v->kind == VALUE_ARRAY && i < v->n; i++)
		if (add_capability(p, &v->items[i], &o.mask) < 0)
			return -EINVAL;
	*FIELD(struct capability_option, p->o, obj) = o;
	return 0;
}

static bool capabilities_is_set(const struct option *o, int key, const void *obj)
{
	(void)key;
	return CFIELD(struct capability_option, o, obj)->set;
}

static bool capabilities_equal(const struct option *o, const void *a, const void *b)
{
	const struct capability_option *x = CFIELD(struct capability_option, o, a);
	const struct capability_option *y = CFIELD(struct capability_option, o, b);

	return x->set == y->set && x->mask == y->mask;
}

static void capabilities_format(const struct option *o, int key, const void *obj,
				struct strbuf *out)
{
	uint64_t mask = CFIELD(struct capability_option, o, obj)->mask;
	const char *separator = "";

	(void)key;
	strbuf_addch(out, '[');
	for (int cap = 0; cap < capability_text.count; cap++) {
		if (!(mask >> cap & 1))
			continue;
		strbuf_addf(out, "%s\"%s\"", separator, enumtext_name(&capability_text, cap));
		separator = ", ";
	}
	strbuf_addch(out, ']');
}

static json_t *capabilities_json(const struct option *o, int key, const void *obj)
{
	uint64_t mask = CFIELD(struct capability_option, o, obj)->mask;
	json_t *array = json_array();

	(void)key;
	for (int cap = 0; cap < capability_text.count; cap++)
		if (mask >> cap & 1)
			json_array_append_new(array,
					      json_string(enumtext_name(&capability_text, cap)));
	return array;
}

const struct option_type type_capabilities = {
	.name = "array of names", .shape = SHAPE_STRINGS, .parse = capabilities_parse,
	.is_set = capabilities_is_set, .equal = capabilities_equal,
	.format = capabilities_format, .json = capabilities_json,
};

/* --- protect_system --------------------------------------------------------------------------------- */

ENUMTEXT(protect_system, "level of protection", [PROTECT_FALSE] = "false", [PROTECT_TRUE] = "true",
	 [PROTECT_FULL] = "full", [PROTECT_STRICT] = "strict");

ENUMTEXT(seccomp_profile, "seccomp profile", [SECCOMP_NONE] = "none", [SECCOMP_DEFAULT] = "default",
	 [SECCOMP_NO_NETWORK] = "no-network");

static int protect_parse(struct parse *p, const struct value *v, void *obj)
{
	auto_free(freep) char *text = parse_text(p, v);
	int choice = text != NULL ? parse_choice(p, v, text, p->o->choices, p->o->only) : -1;

	if (choice < 0)
		return -EINVAL;
	*FIELD(enum protect_system, p->o, obj) = (enum protect_system)choice;
	return 0;
}

static bool protect_equal(const struct option *o, const void *a, const void *b)
{
	return *CFIELD(enum protect_system, o, a) == *CFIELD(enum protect_system, o, b);
}

static void protect_format(const struct option *o, int key, const void *obj, struct strbuf *out)
{
	int level = *CFIELD(enum protect_system, o, obj);

	(void)key;
	strbuf_addf(out, level <= PROTECT_TRUE ? "%s" : "\"%s\"", enumtext_name(o->choices, level));
}

static json_t *protect_json(const struct option *o, int key, const void *obj)
{
	int level = *CFIELD(enum protect_system, o, obj);

	(void)key;
	return level <= PROTECT_TRUE ? json_boolean(level)
				     : json_string(enumtext_name(o->choices, level));
}

const struct option_type type_protect = {
	.name = "choice", .shape = SHAPE_LEVEL, .parse = protect_parse, .equal = protect_equal,
	.format = protect_format, .json = protect_json,
};
