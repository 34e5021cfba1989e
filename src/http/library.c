/* By the name of its binary interface, which all distributions share. */
#include "http/library.h"

#include <dlfcn.h>
#include <stdint.h>

#include "base/util.h"

bool http_library_load(struct http_library *l, const char **why)
{
	static const char *const names[] = { "libmicrohttpd.so.12", "libmicrohttpd.so" };
	void *library = NULL;

	for (size_t i = 0; i < ARRAY_LEN(names) && library == NULL; i++)
		library = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
	if (library == NULL) {
		*why = dlerror();
		return false;
	}
#define FIND(f)									\
	l->f = (__typeof__(MHD_##f) *)(uintptr_t)dlsym(library, "MHD_" #f);		\
	if (l->f == NULL) {								\
		*why = dlerror();							\
		return false;								\
	}
	HTTP_FUNCTIONS(FIND)
#undef FIND
	return true;
}
