/* The seccomp profiles, as programs for the kernel. Pure; any thread. */
#ifndef CORE_SYSCALL_FILTER_H
#define CORE_SYSCALL_FILTER_H

#include <stddef.h>
#include <stdint.h>

#include "config/options.h"

struct syscall_filter {
	uint64_t code[512];	/* struct sock_filter each: see seccomp(2) */
	size_t n;		/* 0: PROFILE is SECCOMP_NONE */
};

void syscall_filter_build(enum seccomp_profile profile, struct syscall_filter *out);

#endif
