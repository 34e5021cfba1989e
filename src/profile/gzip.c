/* deflate(3) by way of dlopen(3). The declarations come from zlib's own header, so a build without
 * it has none of this. */
#include "profile/gzip.h"

#include "config.h"

#if HAVE_ZLIB
#include <dlfcn.h>
#include <zlib.h>

#define LEVEL 6
#define GZIP_WINDOW (15 + 16)	/* zlib's way to say "with gzip's head and tail" */
#define MEMORY_LEVEL 8

struct zlib {
	void *library;
	__typeof__(deflateInit2_) *init;
	__typeof__(deflateBound) *bound;
	__typeof__(deflate) *deflate;
	__typeof__(deflateEnd) *end;
};

static bool zlib_load(struct zlib *z)
{
	z->library = dlopen("libz.so.1", RTLD_NOW | RTLD_LOCAL);
	if (z->library == NULL)
		return false;
	z->init = (__typeof__(z->init))dlsym(z->library, "deflateInit2_");
	z->bound = (__typeof__(z->bound))dlsym(z->library, "deflateBound");
	z->deflate = (__typeof__(z->deflate))dlsym(z->library, "deflate");
	z->end = (__typeof__(z->end))dlsym(z->library, "deflateEnd");
	return z->init != NULL && z->bound != NULL && z->deflate != NULL && z->end != NULL;
}

static bool compress_with(const struct zlib *z, struct strbuf *out, const void *data, size_t n)
{
	z_stream s = { .next_in = (Bytef *)(uintptr_t)data, .avail_in = (uInt)n };
	size_t before = out->len;
	uLong room;
	bool ok;

	if (n > UINT32_MAX || z->init(&s, LEVEL, Z_DEFLATED, GZIP_WINDOW, MEMORY_LEVEL,
				      Z_DEFAULT_STRATEGY, ZLIB_VERSION, sizeof(s)) != Z_OK)
		return false;
	room = z->bound(&s, n);
	strbuf_reserve(out, room);
	s.next_out = (Bytef *)(out->buf + out->len);
	s.avail_out = (uInt)room;
	ok = z->deflate(&s, Z_FINISH) == Z_STREAM_END;
	if (ok)
		out->len = before + s.total_out;
	out->buf[out->len] = '\0';
	z->end(&s);
	return ok;
}

bool gzip_add(struct strbuf *out, const void *data, size_t n)
{
	struct zlib z = { 0 };
	bool ok = zlib_load(&z) && compress_with(&z, out, data, n);

	if (z.library != NULL)
		dlclose(z.library);
	return ok;
}

#else

bool gzip_add(struct strbuf *out, const void *data, size_t n)
{
	(void)out;
	(void)data;
	(void)n;
	return false;
}

#endif
