/* What is in the box. The features are those of ./configure's table; the control socket is always
 * there, and "full" is every feature that contradicts no other (the allocator of mimalloc and the
 * heap profiler do). */
#include "control/features.h"

#include <string.h>

#include "config.h"
#if WITH_MIMALLOC
#include <mimalloc.h>
#endif

#include "base/alloc.h"
#include "base/clock.h"
#include "base/loop.h"
#include "keeper/features.h"

static json_t *options_json(void)
{
	json_t *options = json_object();
	bool full = true;

#define OPTION(name, with)                                                                        \
	json_object_set_new(options, #name, json_boolean(with));                                  \
	full = full && ((with) != 0 || strcmp(#name, "mimalloc") == 0);
	BUILD_FEATURES(OPTION)
#undef OPTION
	json_object_set_new(options, "ipc", json_true());
	json_object_set_new(options, "full", json_boolean(full));
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

/* Asked, not assumed: a preloaded library may have taken its place. */
static const char *allocator(void)
{
	const char *name = "glibc";
#if WITH_MIMALLOC
	auto_free(freep) char *probe = x_malloc(64);

	if (mi_is_in_heap_region(probe))
		name = "mimalloc";
#endif
	return name;
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
		"allocator", allocator(),
		"clock", clock_source(),
		"kernel", kernel_json());

	if (loop)
		ev_loop_destroy(loop);
	return features;
}
