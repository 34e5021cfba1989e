/* The list of build features is the reference's; true is only what this build really does. */
#include "control/features.h"

#include "base/loop.h"
#include "config.h"
#include "keeper/features.h"

static const struct {
	const char *name;
	bool built;
} build_options[] = {
	{ "metrics", false },
	{ "console", true },
	{ "json_logs", true },
	{ "config_watch", true },
	{ "mmap_config", false },
	{ "mimalloc", false },
	{ "high_res_timing", false },
	{ "scheduler_hints", false },
	{ "scheduler_hints_unix", false },
	{ "lockfree_coordination", true },
	{ "profiling", false },
	{ "heap_profiling", false },
	{ "full", false },
};

static json_t *options_json(void)
{
	json_t *options = json_object();

	for (size_t i = 0; i < ARRAY_LEN(build_options); i++)
		json_object_set_new(options, build_options[i].name,
				    json_boolean(build_options[i].built));
	return options;
}

static json_t *kernel_json(void)
{
	json_t *kernel = json_object();
	struct kernel_features features;

	kernel_features_probe(&features);
	for (int i = 0; i < FEATURE_COUNT; i++)
		json_object_set_new(kernel, kernel_feature_name((enum kernel_feature)i),
				    json_pack("{s:b, s:b}", "available", (int)features.available[i],
					      "used", (int)features.used[i]));
	return kernel;
}

static json_t *backends_json(void)
{
	auto_free(strbuf_fini) struct strbuf text = STRBUF_INIT;
	json_t *list = json_array();
	char *rest;

	loop_backends_supported(&text);
	for (char *name = strtok_r(text.buf, ", ", &rest); name; name = strtok_r(NULL, ", ", &rest))
		json_array_append_new(list, json_text(name));
	return list;
}

json_t *features_json(void)
{
	struct ev_loop *loop = loop_new("auto");
	json_t *features = json_pack("{s:s, s:o, s:{s:s, s:o}, s:s, s:s, s:o}",
		"version", PROCD_VERSION,
		"options", options_json(),
		"event_backend",
			"default", loop ? loop_backend_name(loop) : "none",
			"supported", backends_json(),
		"allocator", "glibc",
		"clock", "clock_gettime",
		"kernel", kernel_json());

	if (loop)
		ev_loop_destroy(loop);
	return features;
}
