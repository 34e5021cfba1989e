/* libmicrohttpd, loaded by the one process that serves: linked in the ordinary way it would cost
 * every keeper and supervisor three megabytes. */
#ifndef HTTP_LIBRARY_H
#define HTTP_LIBRARY_H

#include <stdbool.h>

#include <microhttpd.h>

#define HTTP_FUNCTIONS(F)							\
	F(start_daemon) F(stop_daemon) F(run) F(get_timeout) F(get_daemon_info)		\
	F(get_connection_info) F(get_connection_values) F(suspend_connection)		\
	F(resume_connection) F(create_response_from_buffer) F(add_response_header)	\
	F(queue_response) F(destroy_response)

struct http_library {
#define HTTP_POINTER(f) __typeof__(MHD_##f) *f;
	HTTP_FUNCTIONS(HTTP_POINTER)
#undef HTTP_POINTER
};

/* Never unloaded. False: *WHY says what is missing. */
bool http_library_load(struct http_library *l, const char **why);

#endif
